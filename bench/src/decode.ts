import { Decoder, type RecordSink } from '@prewake/hostd/internal';
import { filledRing, STRIDE_BYTES } from './filled-ring.ts';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, median } from './statistics.ts';

/** Reads every group of fields of every slice, so that the engine can leave no decoding out. */
export class Totals implements RecordSink {
  slices = 0;
  times = 0;
  stolen = 0;
  counts = 0;
  causes = 0;

  slice(slice: Parameters<RecordSink['slice']>[0]): void {
    this.slices++;
    this.times += slice.offAt - slice.onAt + slice.onAt - slice.wakingAt + slice.idleExitAt;
    this.times += slice.readyAt + slice.eventAt + slice.timerLateNs + slice.workQueuedNs;
    this.stolen += slice.irqNs + slice.softirqNs + slice.faultNs + slice.vfsNs + slice.blockNs;
    this.stolen += slice.throttledNs + slice.ioUringNs + slice.faultInclusiveNs + slice.vfsInclusiveNs;
    this.counts += slice.irqs + slice.softirqs + slice.minorFaults + slice.majorFaults + slice.cacheHits;
    this.counts += slice.cacheMisses + slice.vfsCalls + slice.dentryMisses + slice.blockRequests;
    this.causes += slice.originName.length + slice.originId + slice.originCause;
    this.causes += slice.causeName.length + slice.causeId + slice.wakerCpu + slice.tid + slice.known;
    this.causes += slice.tgid + slice.cpu + slice.begin + slice.end + slice.idleState + slice.offInside;
    this.causes += slice.khz + slice.targetKhz;
  }

  fork(): void {}
  exit(): void {}
}

export const decode: Bench = {
  name: 'decode',
  title: 'how fast records of the ring are decoded',
  seconds: 20,
  async run({ quick }) {
    const records = 40_000; // What the default ring holds.
    const words = filledRing(records);
    const decoder = new Decoder(
      words,
      () => 'none',
      () => 'none',
    );
    const rounds = quick ? 10 : 200;
    const samples: number[] = [];
    for (let round = -10; round < rounds; round++) {
      const totals = new Totals();
      const began = process.hrtime.bigint();
      for (let i = 0; i < records; i++) decoder.decode((i * STRIDE_BYTES + 8) / 4, totals);
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      if (totals.slices !== records) throw new Error(`decoded ${totals.slices} of ${records} records`);
      if (round >= 0) samples.push(records / seconds / 1e6);
    }
    return {
      name: decode.name,
      title: decode.title,
      figures: [
        figureOf(
          'slices decoded on one core, median of rounds',
          'million a second',
          bootstrap(samples, median),
          samples.length,
          { limit: 3, direction: 'at least' },
        ),
      ],
      caveats: [
        `${records} slices in memory a round, handed to a sink that reads each field: no attribution to steps.`,
        'Waking causes are an interrupt, a timer and a task in turn; five tasks’ names repeat.',
      ],
    };
  },
};
