import type { RecordSink } from '../recorder.ts';
import type { Slice } from '../slice.ts';
import { EventKind, type EventRecord, type ForkRecord, SliceBegin, SliceEnd, WakeCause } from '../slice.ts';
import { CommCache } from './comm-cache.ts';
import { EventOffset as E, ExitOffset, ForkOffset, RecordType, SliceOffset as S } from './record-layout.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const HIGH = 2 ** 32;

/** Finds the name of a kernel function by its address: `low` and `high` are the halves of a 64-bit pointer. */
export type ResolveFunction = (low: number, high: number) => string;
/** Finds the names of an interrupt's handlers by its number. */
export type ResolveIrq = (irq: number) => string;

/** Interrupts without a number: `enum pw_irq`. */
const UNNUMBERED: Readonly<Record<number, string>> = {
  [-2]: 'local_timer',
  [-3]: 'call_function',
};

/**
 * Decodes records in place: typed-array reads at fixed offsets into one reused object, nothing allocated for a
 * record. The sink copies what it keeps.
 */
export class Decoder {
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #signed: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #comms: CommCache;
  readonly #resolve: ResolveFunction;
  readonly #irq: ResolveIrq;
  readonly #slice: Mutable<Slice> = emptySlice();
  /** Bits of `Known` that the attached programs provide; each record takes off what it could not fill in. */
  known = 0;

  constructor(words: Int32Array, resolve: ResolveFunction, irq: ResolveIrq) {
    const { buffer, byteOffset, byteLength } = words;
    this.#words = new Uint32Array(buffer, byteOffset, byteLength / 4);
    this.#signed = new Int32Array(buffer, byteOffset, byteLength / 4);
    this.#halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#comms = new CommCache(this.#words);
    this.#resolve = resolve;
    this.#irq = irq;
  }

  /** Decodes the record at a word index and hands it to the sink. Types that are not known are skipped. */
  decode(at: number, sink: RecordSink): void {
    switch (this.#bytes[at * 4]) {
      case RecordType.slice:
        sink.slice(this.#decodeSlice(at));
        break;
      case RecordType.fork:
        sink.fork(this.#decodeFork(at));
        break;
      case RecordType.exit:
        sink.exit({
          at: this.#u64(at, ExitOffset.at),
          tgid: this.#u32(at, ExitOffset.tgid),
          tid: this.#u32(at, ExitOffset.tid),
        });
        break;
      case RecordType.event:
        sink.event?.(this.#decodeEvent(at));
        break;
    }
  }

  #u32(at: number, offset: number): number {
    return this.#words[at + (offset >> 2)] as number;
  }

  /** Exact below 2^53 ns, 104 days of uptime; to 2 ns beyond. */
  #u64(at: number, offset: number): number {
    const index = at + (offset >> 2);
    return (this.#words[index + 1] as number) * HIGH + (this.#words[index] as number);
  }

  #u16(at: number, offset: number): number {
    return this.#halves[at * 2 + (offset >> 1)] as number;
  }

  #decodeFork(at: number): ForkRecord {
    return {
      at: this.#u64(at, ForkOffset.at),
      parentTgid: this.#u32(at, ForkOffset.parent_tgid),
      parentTid: this.#u32(at, ForkOffset.parent_tid),
      childTgid: this.#u32(at, ForkOffset.child_tgid),
      childTid: this.#u32(at, ForkOffset.child_tid),
    };
  }

  #decodeEvent(at: number): EventRecord {
    const head = this.#u32(at, E.type);
    const kind = ((head >>> 8) & 0xff) as EventKind;
    const low = this.#u32(at, E.id);
    const high = this.#u32(at, E.id + 4);
    const event = {
      kind,
      tgid: this.#u32(at, E.tgid),
      tid: this.#u32(at, E.tid),
      cpu: head >>> 16,
      at: this.#u64(at, E.at),
      durationNs: this.#u64(at, E.duration),
    };
    if (kind === EventKind.work) {
      return { ...event, queuedNs: this.#u32(at, E.extra), name: this.#resolve(low, high) };
    }
    return kind === EventKind.ioUring ? { ...event, stepId: high } : event;
  }

  #decodeSlice(at: number): Slice {
    const slice = this.#slice;
    const head = this.#u32(at, S.type);
    const place = this.#u32(at, S.cpu);
    const waker = this.#u32(at, S.waker_cpu);
    const cause = (head >>> 24) as WakeCause;
    slice.begin = ((head >>> 8) & 0xff) as Slice['begin'];
    slice.end = ((head >>> 16) & 0xff) as Slice['end'];
    slice.cause = cause;
    slice.cpu = place & 0xffff;
    slice.offInside = (place >>> 16) & 0xff;
    slice.idleState = (place | 0) >> 24;
    slice.tgid = this.#u32(at, S.tgid);
    slice.tid = this.#u32(at, S.tid);
    slice.causeId = this.#signed[at + (S.cause_id >> 2)] as number;
    slice.wakerCpu = (waker << 16) >> 16;
    slice.known = this.known & ~(waker >>> 16);
    slice.causeName = this.#causeName(at, cause, slice.causeId);
    this.#decodeOrigin(at, cause);
    slice.onAt = this.#u64(at, S.on_at);
    slice.offAt = this.#u64(at, S.off_at);
    slice.wakingAt = this.#u64(at, S.waking_at);
    slice.eventAt = this.#u64(at, S.event_at);
    slice.idleExitAt = this.#u64(at, S.idle_exit_at);
    slice.readyAt = this.#u64(at, S.ready_at);
    slice.blockNs = this.#u64(at, S.block_ns);
    slice.throttledNs = this.#u64(at, S.throttled_ns);
    slice.ioUringNs = this.#u64(at, S.io_uring_ns);
    slice.faultInclusiveNs = this.#u64(at, S.fault_inclusive_ns);
    slice.vfsInclusiveNs = this.#u64(at, S.vfs_inclusive_ns);
    slice.timerLateNs = this.#u32(at, S.timer_late_ns);
    slice.workQueuedNs = this.#u32(at, S.work_queued_ns);
    slice.irqNs = this.#u32(at, S.irq_ns);
    slice.softirqNs = this.#u32(at, S.softirq_ns);
    slice.faultNs = this.#u32(at, S.fault_ns);
    slice.vfsNs = this.#u32(at, S.vfs_ns);
    slice.minorFaults = this.#u32(at, S.minor_faults);
    slice.majorFaults = this.#u32(at, S.major_faults);
    slice.cacheHits = this.#u32(at, S.cache_hits);
    slice.cacheMisses = this.#u32(at, S.cache_misses);
    slice.irqs = this.#u16(at, S.irqs);
    slice.softirqs = this.#u16(at, S.softirqs);
    slice.vfsCalls = this.#u16(at, S.vfs_calls);
    slice.dentryMisses = this.#u16(at, S.dentry_misses);
    slice.blockRequests = this.#u16(at, S.block_requests);
    slice.khz = this.#u32(at, S.khz);
    slice.targetKhz = this.#u32(at, S.target_khz);
    return slice;
  }

  #decodeOrigin(at: number, cause: WakeCause): void {
    const slice = this.#slice;
    const has = cause === WakeCause.softirq || cause === WakeCause.kworker;
    slice.originCause = (has ? this.#u32(at, S.origin) & 0xff : WakeCause.none) as WakeCause;
    slice.originId =
      slice.originCause === WakeCause.none ? -1 : (this.#signed[at + (S.origin_id >> 2)] as number);
    slice.originName = slice.originCause === WakeCause.hardirq ? this.#irqName(slice.originId) : '';
  }

  #irqName(irq: number): string {
    return irq < 0 ? (UNNUMBERED[irq] ?? '') : this.#irq(irq);
  }

  #causeName(at: number, cause: WakeCause, id: number): string {
    if (cause === WakeCause.task) return this.#comms.read(at + (S.cause_comm >> 2));
    if (cause === WakeCause.hardirq) return this.#irqName(id);
    if (cause !== WakeCause.kworker) return '';
    const low = this.#u32(at, S.cause_comm);
    const high = this.#u32(at, S.cause_comm + 4);
    return low === 0 && high === 0 ? '' : this.#resolve(low, high);
  }
}

function emptySlice(): Mutable<Slice> {
  // A double from the start, so that the engine gives each time a double's field and never reshapes the object.
  const time = 0.5;
  return {
    tgid: 0,
    tid: 0,
    cpu: 0,
    known: 0,
    begin: SliceBegin.unknown,
    cause: WakeCause.none,
    causeId: 0,
    causeName: '',
    originCause: WakeCause.none,
    originId: 0,
    originName: '',
    wakerCpu: 0,
    wakingAt: time,
    eventAt: time,
    timerLateNs: time,
    workQueuedNs: time,
    idleExitAt: time,
    idleState: 0,
    readyAt: time,
    onAt: time,
    offAt: time,
    end: SliceEnd.open,
    offInside: 0,
    irqNs: time,
    softirqNs: time,
    faultNs: time,
    vfsNs: time,
    blockNs: time,
    ioUringNs: time,
    throttledNs: time,
    faultInclusiveNs: time,
    vfsInclusiveNs: time,
    irqs: 0,
    softirqs: 0,
    minorFaults: time,
    majorFaults: time,
    cacheHits: time,
    cacheMisses: time,
    vfsCalls: 0,
    dentryMisses: 0,
    blockRequests: 0,
    khz: 0,
    targetKhz: 0,
  };
}
