import { cpus } from 'node:os';
import type { HostdProcess } from './hostd-process.ts';
import { memoryParts } from './load-run.ts';
import { NativeProgram } from './native.ts';
import { recordingHostd } from './observers.ts';
import { cpuSeconds, residentMiB } from './process-facts.ts';
import type { Bench, Figure } from './result.ts';

const RATE = 100_000;

interface Counts {
  records: number;
  lost: number;
}

export interface SliceRun extends Counts {
  /** By the kernel's own count of the two threads. */
  switches: number;
  perSecond: number;
  cpu: number;
  early: number;
  late: number;
}

/** Whatever is left in the ring is read when statistics are asked for. */
async function drained(hostd: HostdProcess): Promise<Counts> {
  await hostd.text('/v1/stats?category=runqueue');
  return (await hostd.get<{ recorder: Counts }>('/v1/status')).recorder;
}

/** @param rate slices a second, or 0 for as fast as it goes */
async function sliceRun(switcher: NativeProgram, rate: number, seconds: number): Promise<SliceRun> {
  const hostd = await recordingHostd();
  const memory: number[] = [];
  const timer = setInterval(() => {
    try {
      memory.push(residentMiB(hostd.pid));
    } catch {
      clearInterval(timer); // hostd has died: the next question says so.
    }
  }, 250);
  try {
    const before = await drained(hostd);
    const cpu = cpuSeconds(hostd.pid);
    const out = await switcher.run([hostd.socket, cpus().length - 1, rate, seconds], {
      seconds: 4 * seconds + 30,
    });
    const after = await drained(hostd);
    const { switches, seconds: took } = JSON.parse(out) as { switches: number; seconds: number };
    return {
      records: after.records - before.records,
      lost: after.lost - before.lost,
      switches,
      perSecond: switches / took,
      cpu: (cpuSeconds(hostd.pid) - cpu) / took,
      ...memoryParts(memory, seconds),
    };
  } finally {
    clearInterval(timer);
    await hostd.stop();
  }
}

/** Slices that are neither there nor counted as lost, of each hundred. */
export const unaccounted = ({ switches, records, lost }: SliceRun): number =>
  Math.max(0, 100 * (1 - (records + lost) / switches));

/** @param rate what was asked for and is aimed at; undefined: no aims but that every slice is accounted for */
function figuresOf(name: string, run: SliceRun, rate?: number): Figure[] {
  const { perSecond, switches, lost, late, early, cpu } = run;
  const aim = (limit: number, direction: 'at most' | 'at least') =>
    rate === undefined ? {} : { aim: { limit, direction } };
  return [
    { what: `${name}: slices`, unit: 'a second', value: perSecond, ...aim(0.98 * (rate ?? 0), 'at least') },
    {
      what: `${name}: lost, and counted as lost`,
      unit: '',
      value: lost,
      samples: switches,
      ...aim(0, 'at most'),
    },
    {
      what: `${name}: neither recorded nor counted as lost`,
      unit: '%',
      value: unaccounted(run),
      samples: switches,
      aim: { limit: 0.5, direction: 'at most' },
    },
    {
      what: `${name}: resident memory, second half ÷ first half`,
      unit: '×',
      value: late / early,
      ...aim(1.25, 'at most'),
    },
    { what: `${name}: resident memory, second half`, unit: 'MiB', value: late },
    { what: `${name}: hostd’s CPU time`, unit: '% of a core', value: 100 * cpu },
  ];
}

export const slices: Bench = {
  name: 'slices',
  title: 'how many slices a second are followed',
  seconds: 30,
  async run({ quick, progress }) {
    const switcher = NativeProgram.build('switcher');
    try {
      const rate = quick ? 5000 : RATE;
      const seconds = quick ? 2 : 10;
      progress(`${rate} slices a second for ${seconds} s`);
      const paced = await sliceRun(switcher, rate, seconds);
      progress('as fast as it goes');
      const flat = await sliceRun(switcher, 0, quick ? 1 : 10);
      return {
        name: slices.name,
        title: slices.title,
        figures: [
          ...figuresOf(`${rate} slices a second asked for`, paced, rate),
          ...figuresOf('as fast as two threads can', flat),
        ],
        caveats: [
          'Two threads of one process on one CPU hand a byte to and fro; hostd reads on the other CPU. The kernel’s own count of their switches is the witness.',
          'One step is open throughout and takes every slice.',
          'Records hold a few events besides slices, so that a deficit below 0.5 % would not show.',
        ],
      };
    } finally {
      switcher.remove();
    }
  },
};
