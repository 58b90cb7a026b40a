import { PrewakeError } from '@prewake/sdk/protocol';
import type { IrqNames } from '../irq-names.ts';
import type { Kallsyms } from '../kallsyms.ts';
import type { CategorySource, DrainResult, Recorder, RecordSink } from '../recorder.ts';
import type { EventKind } from '../slice.ts';
import { Decoder } from './decoder.ts';
import type { FrequencyReader } from './frequency.ts';
import type { LoadedObject } from './loaded-object.ts';
import { PressureWait } from './pressure.ts';
import { attachGroup, type Probed, type Sources } from './probe.ts';
import { CORE_KNOWN, type ProgramGroup, SEED } from './program-groups.ts';
import { Ring } from './ring.ts';
import { SharedState } from './shared-state.ts';

export interface BpfRecorderParts {
  probed: Probed;
  ringBytes: number;
  events: readonly EventKind[];
  kallsyms: Kallsyms;
  irqNames: IrqNames;
  frequencies: FrequencyReader;
}

/** Slices from the BPF programs. */
export class BpfRecorder implements Recorder {
  readonly source = 'bpf';
  readonly reason = undefined;
  categories: readonly CategorySource[];
  known: number;
  #onPressure: (() => void) | undefined;
  readonly #object: LoadedObject;
  readonly #core: ReadonlySet<string>;
  readonly #sources: Sources;
  #groups: readonly ProgramGroup[];
  readonly #shared: SharedState;
  readonly #ring: Ring;
  readonly #ringFd: number;
  readonly #decoder: Decoder;
  readonly #irqNames: IrqNames;
  readonly #frequencies: FrequencyReader;
  readonly #tracked = new Set<number>();
  /** Of a tracked process that was followed before, as a descendant: whose. Then what is left of it is theirs again. */
  readonly #outer = new Map<number, number>();
  #pressure: PressureWait | undefined;
  #attachedAt = 0;
  #lostBefore = 0;
  #closed = false;

  constructor({ probed, ringBytes, events, kallsyms, irqNames, frequencies }: BpfRecorderParts) {
    this.#object = probed.object;
    this.#core = probed.core;
    this.#groups = probed.groups;
    this.#sources = probed.sources;
    this.categories = probed.sources.of(probed.groups);
    this.known = knownBy(probed.groups);
    this.#shared = new SharedState(probed.object.mapFd('.bss'));
    this.#ringFd = probed.object.mapFd('ring');
    this.#ring = new Ring(this.#ringFd, ringBytes);
    this.#decoder = new Decoder(
      this.#ring.words,
      (low, high) => kallsyms.name((BigInt(high) << 32n) | BigInt(low)),
      (irq) => irqNames.name(irq),
    );
    this.#irqNames = irqNames;
    this.#decoder.known = this.known;
    this.#frequencies = frequencies;
    this.#shared.setHalfRing(ringBytes / 2);
    this.#shared.setEvents(events.reduce<number>((kinds, kind) => kinds | (1 << kind), 0));
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
    this.#shared.resetPlaces();
    this.#irqNames.forget();
    this.#frequencies.read((...frequency) => this.#shared.setFrequency(...frequency));
    this.#lostBefore = this.#shared.lost;
    this.#attachAll();
    this.#attachedAt = Number(process.hrtime.bigint());
    try {
      for (const tgid of this.#tracked) this.#seed(tgid);
      this.#listen();
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  /** What is refused now although it was not at first is given up; without the core there is no recorder. */
  #attachAll(): void {
    for (const name of this.#core) {
      const refusal = name === SEED ? undefined : this.#object.attach(name);
      if (!refusal) continue;
      this.#object.detachAll();
      throw new PrewakeError('PREWAKE_BPF_ATTACH', `the kernel refused to attach ${name}: ${refusal}`);
    }
    this.#groups = this.#groups.filter((group) => {
      const refusal = attachGroup(this.#object, group);
      if (refusal) this.#sources.refuse(group, refusal);
      return !refusal;
    });
    this.known = knownBy(this.#groups);
    this.#decoder.known = this.known;
    this.categories = this.#sources.of(this.#groups);
  }

  /** Also forgets what was in the ring: a step that spans a detach is unknown. */
  detach(): void {
    if (!this.attached) return;
    this.#stop();
    this.#ring.read(() => {});
    this.#shared.setUnseed('all');
    this.#object.iterate();
  }

  #stop(): void {
    this.#pressure?.close();
    this.#pressure = undefined;
    this.#object.detachAll();
    this.#attachedAt = 0;
    this.#outer.clear();
  }

  track(tgid: number): void {
    this.#tracked.add(tgid);
    if (this.attached) this.#seed(tgid);
  }

  untrack(tgid: number): void {
    if (!this.#tracked.delete(tgid) || !this.attached) return;
    const heir = this.#outer.get(tgid) ?? 0;
    this.#outer.delete(tgid);
    for (const [root, outer] of this.#outer) {
      if (outer !== tgid) continue;
      if (heir) this.#outer.set(root, heir);
      else this.#outer.delete(root);
    }
    this.#shared.setUnseed(tgid, heir);
    this.#object.iterate();
  }

  /** Each thread has the nearest of its tracked ancestors for a root, with whose end its own recording ends. */
  #seed(tgid: number): void {
    this.#shared.setSeed(tgid);
    try {
      this.#object.iterate();
      const outer = this.#shared.seedOuter;
      if (outer) {
        this.#outer.set(tgid, outer);
        this.#shared.setSeed(tgid, outer);
        this.#object.iterate();
      }
    } finally {
      this.#shared.setSeed(0);
    }
  }

  drain(sink: RecordSink): DrainResult {
    if (this.#closed) return { records: 0, lost: 0 };
    const decoder = this.#decoder;
    let records = 0;
    this.#ring.read((at) => {
      records++;
      decoder.decode(at, sink);
    });
    this.#shared.setPressure(false);
    const lost = this.#shared.lost;
    const dropped = lost - this.#lostBefore;
    this.#lostBefore = lost;
    return { records, lost: dropped };
  }

  lastCpu(tid: number): { home: number; completion: number } {
    return this.attached ? this.#shared.placeOf(tid) : { home: -1, completion: -1 };
  }

  #listen(): void {
    if (!this.attached || !this.#onPressure || this.#pressure) return;
    this.#pressure = new PressureWait(
      this.#ringFd,
      () => this.#startListening(),
      () => this.#onPressure?.(),
    );
  }

  /** What came before anybody listened was signalled to nobody. */
  #startListening(): void {
    this.#shared.setPressure(false);
    if (this.#ring.unread < this.#ring.bytes / 2) return;
    this.#shared.setPressure(true);
    this.#onPressure?.();
  }

  close(): void {
    if (this.#closed) return;
    // Whom it followed goes with the object.
    this.#stop();
    this.#closed = true;
    this.#ring.close();
    this.#shared.close();
    this.#object.close();
  }
}

function knownBy(groups: readonly ProgramGroup[]): number {
  return groups.reduce((known, group) => known | group.known, CORE_KNOWN);
}
