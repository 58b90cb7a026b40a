import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import { BLANK_SLICE } from './blank-slice.ts';
import type { CategorySource, DrainResult, Recorder, RecordSink } from './recorder.ts';
import { childrenOf, type Schedstat, schedstatAvailable, schedstatsOf } from './schedstat.ts';
import { Known, type Slice, SliceBegin } from './slice.ts';
import { lastCpuOf, startTimeOf } from './threads.ts';

/**
 * What is left without BPF: how long each thread was runnable and not running, as a sum since the last drain. It
 * comes as one slice a thread and drain that ends now, since where in between the time was is not told.
 */
export class SchedstatRecorder implements Recorder {
  readonly source = 'schedstat';
  readonly known = Known.runqueue;
  readonly reason: string;
  readonly categories: readonly CategorySource[];
  onPressure: (() => void) | undefined;
  readonly #root: string;
  /** The start time of each process by its pid, which another user's process may get. */
  readonly #tracked = new Map<number, string | undefined>();
  #before = new Map<number, Schedstat>();
  #attachedAt = 0;

  constructor(reason: string, root = '/') {
    this.reason = reason;
    this.#root = root;
    this.categories = KERNEL_CATEGORIES.map((category) =>
      category === 'runqueue'
        ? { category, tier: 'counters', reason }
        : { category, tier: 'unavailable', reason },
    );
  }

  static available(root = '/'): boolean {
    return schedstatAvailable(root);
  }

  get attached(): boolean {
    return this.#attachedAt !== 0;
  }

  get attachedAt(): number {
    return this.#attachedAt;
  }

  attach(): void {
    if (this.attached) return;
    this.#attachedAt = Number(process.hrtime.bigint());
    for (const tgid of this.#living()) this.#baseline(tgid);
  }

  detach(): void {
    this.#attachedAt = 0;
    this.#before.clear();
  }

  track(tgid: number, startTime = startTimeOf(tgid, tgid, this.#root)): void {
    this.#tracked.set(tgid, startTime);
    if (this.attached && this.#living().includes(tgid)) this.#baseline(tgid);
  }

  untrack(tgid: number): void {
    this.#tracked.delete(tgid);
  }

  #baseline(tgid: number): void {
    for (const stat of schedstatsOf(tgid, this.#root)) this.#before.set(stat.tid, stat);
  }

  drain(sink: RecordSink): DrainResult {
    if (!this.attached) return { records: 0, lost: 0 };
    const now = Number(process.hrtime.bigint());
    const after = new Map<number, Schedstat>();
    let records = 0;
    for (const tgid of this.#tree()) {
      for (const stat of schedstatsOf(tgid, this.#root)) {
        after.set(stat.tid, stat);
        const before = this.#before.get(stat.tid);
        // A thread that was not there at the last drain has had all of its time since.
        const runNs = stat.runNs - (before?.runNs ?? 0);
        const waitNs = stat.waitNs - (before?.waitNs ?? 0);
        if (runNs <= 0 && waitNs <= 0) continue;
        records++;
        sink.slice(sumOf(tgid, stat.tid, lastCpuOf(tgid, stat.tid, this.#root), now, runNs, waitNs));
      }
    }
    this.#before = after;
    return { records, lost: 0 };
  }

  /** The tracked processes and their descendants, as far as they live. */
  #tree(): Set<number> {
    const all = new Set(this.#living());
    for (const tgid of all) for (const child of childrenOf(tgid, this.#root)) all.add(child);
    return all;
  }

  #living(): number[] {
    const processes = [...this.#tracked];
    return processes
      .filter(([tgid, start]) => startTimeOf(tgid, tgid, this.#root) === start)
      .map(([tgid]) => tgid);
  }

  lastCpu(): { home: number; completion: number } {
    return { home: -1, completion: -1 };
  }

  close(): void {
    this.detach();
    this.#tracked.clear();
  }
}

function sumOf(tgid: number, tid: number, cpu: number, now: number, runNs: number, waitNs: number): Slice {
  const onAt = now - runNs;
  return {
    ...BLANK_SLICE,
    tgid,
    tid,
    cpu,
    known: Known.runqueue,
    begin: SliceBegin.preempted,
    readyAt: onAt - waitNs,
    onAt,
    offAt: now,
  };
}
