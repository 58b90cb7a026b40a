import { PrewakeError } from '@prewake/sdk/protocol';
import type { CategorySource, DrainResult, Recorder, RecordSink } from '../../slowpath/recorder.ts';
import type { Kallsyms } from '../kallsyms.ts';
import { Decoder } from './decoder.ts';
import type { FrequencyReader } from './frequency.ts';
import type { LastCpus } from './last-cpus.ts';
import type { LoadedObject } from './loaded-object.ts';
import { PressureWait } from './pressure.ts';
import type { Probed } from './probe.ts';
import { Ring } from './ring.ts';
import { SharedState } from './shared-state.ts';

export interface BpfRecorderParts {
  probed: Probed;
  ringBytes: number;
  kallsyms: Kallsyms;
  frequencies: FrequencyReader;
  lastCpus: LastCpus;
}

/** Slices from the BPF programs. */
export class BpfRecorder implements Recorder {
  readonly source = 'bpf';
  readonly reason = undefined;
  readonly categories: readonly CategorySource[];
  readonly known: number;
  #onPressure: (() => void) | undefined;
  readonly #object: LoadedObject;
  readonly #programs: readonly string[];
  readonly #shared: SharedState;
  readonly #ring: Ring;
  readonly #ringFd: number;
  readonly #decoder: Decoder;
  readonly #frequencies: FrequencyReader;
  readonly #lastCpus: LastCpus;
  readonly #tracked = new Set<number>();
  #pressure: PressureWait | undefined;
  #attachedAt = 0;
  #lostBefore = 0;
  #closed = false;

  constructor({ probed, ringBytes, kallsyms, frequencies, lastCpus }: BpfRecorderParts) {
    this.categories = probed.categories;
    this.#object = probed.object;
    this.#programs = probed.programs;
    this.#shared = new SharedState(probed.object.mapFd('.bss'));
    this.#ringFd = probed.object.mapFd('ring');
    this.#ring = new Ring(this.#ringFd, ringBytes);
    this.#decoder = new Decoder(this.#ring.words, (low, high) =>
      kallsyms.name((BigInt(high) << 32n) | BigInt(low)),
    );
    this.known = probed.known;
    this.#decoder.known = probed.known;
    this.#frequencies = frequencies;
    this.#lastCpus = lastCpus;
    this.#shared.setHalfRing(ringBytes / 2);
  }

  get attached(): boolean {
    return this.#attachedAt !== 0;
  }

  get attachedAt(): number {
    return this.#attachedAt;
  }

  get onPressure(): (() => void) | undefined {
    return this.#onPressure;
  }

  set onPressure(listener: (() => void) | undefined) {
    this.#onPressure = listener;
    this.#listen();
  }

  attach(): void {
    if (this.#closed) throw new PrewakeError('PREWAKE_RECORDER_CLOSED', 'the recorder is closed');
    if (this.attached) return;
    this.#shared.resetCpus();
    this.#frequencies.read((cpu, khz, target) => this.#shared.setFrequency(cpu, khz, target));
    this.#lostBefore = this.#shared.lost;
    for (const name of this.#programs) {
      const refusal = this.#object.attach(name);
      if (refusal) {
        this.#object.detachAll();
        throw new PrewakeError('PREWAKE_BPF_ATTACH', `the kernel refused to attach ${name}: ${refusal}`);
      }
    }
    this.#attachedAt = Number(process.hrtime.bigint());
    for (const tgid of this.#tracked) this.#seed(tgid);
    this.#listen();
  }

  /** Also forgets what was in the ring: a step that spans a detach is unknown. */
  detach(): void {
    if (!this.attached) return;
    this.#pressure?.close();
    this.#pressure = undefined;
    this.#object.detachAll();
    this.#attachedAt = 0;
    this.#shared.setUnseed('all');
    this.#object.iterate();
    this.#ring.read(() => {});
  }

  track(tgid: number): void {
    this.#tracked.add(tgid);
    if (this.attached) this.#seed(tgid);
  }

  untrack(tgid: number): void {
    if (!this.#tracked.delete(tgid) || !this.attached) return;
    this.#shared.setUnseed(tgid);
    this.#object.iterate();
  }

  #seed(tgid: number): void {
    this.#shared.setSeed(tgid);
    this.#object.iterate();
    this.#shared.setSeed(0);
  }

  drain(sink: RecordSink): DrainResult {
    if (this.#closed) return { records: 0, lost: 0 };
    const decoder = this.#decoder;
    const watched = this.#lastCpus.watching(sink);
    let records = 0;
    this.#ring.read((at) => {
      records++;
      decoder.decode(at, watched);
    });
    this.#shared.clearPressure();
    const lost = this.#shared.lost;
    const dropped = lost - this.#lostBefore;
    this.#lostBefore = lost;
    return { records, lost: dropped };
  }

  lastCpu(tid: number): { home: number; completion: number } {
    return this.#lastCpus.of(tid);
  }

  #listen(): void {
    if (!this.attached || !this.#onPressure || this.#pressure) return;
    this.#pressure = new PressureWait(
      this.#ringFd,
      () => this.#shared.clearPressure(),
      () => this.#onPressure?.(),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.detach();
    this.#closed = true;
    this.#ring.close();
    this.#shared.close();
    this.#object.close();
  }
}
