import type { ClientFrame, StepFrame, StepId, WaitFrame } from '@prewake/sdk/protocol';
import type { EventRecord, ForkRecord, Slice } from '../kernel/slice.ts';
import type { WakeupCost } from '../policy/index.ts';
import { readyTime } from './categories.ts';
import { charge } from './charge.ts';
import { EventLog } from './event-log.ts';
import { Ledger } from './ledger.ts';
import type { AttributionOptions } from './options.ts';
import { type JoinFacts, Owners } from './owners.ts';
import { PoolRequests } from './pool-requests.ts';
import { ProcessTree } from './process-tree.ts';
import type { StatsOwner } from './stats/slowpath-stats.ts';
import { innermost, type StepSpan, StepTable } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';
import { Tally } from './tally.ts';
import { ThreadLog } from './thread-log.ts';
import { ThreadNotes } from './thread-notes.ts';
import { ThreadTable } from './thread-table.ts';
import { WaitLog } from './wait-log.ts';

/** The host's tid of a thread as a client names it; undefined: its main thread. */
export type TidOf = (theirs: number | undefined) => number;

/**
 * The attribution of one process: the steps of its sessions (its main thread and each worker thread may have one),
 * what its threads and its children did, and how the two are joined.
 */
export class ProcessAttribution {
  readonly tgid: number;
  readonly owner: StatsOwner;
  /** The sessions that speak for it. */
  readonly sessions = new Set<string>();
  readonly steps = new StepTable();
  /** Ended steps whose report is wanted and not given yet. */
  readonly ending = new Set<StepSpan>();
  /** Since when its processes are tracked, nanoseconds. */
  readonly trackedSince: number;
  /** Child processes whose last slice has been settled. */
  readonly gone: number[] = [];
  /** Up to here all slices have been charged for good. */
  settledTo: number;
  /** Steps, slices, marks, … for which there was no room. */
  dropped = 0;
  readonly #options: AttributionOptions;
  readonly #threads: ThreadTable;
  readonly #notes: ThreadNotes;
  readonly #waits: WaitLog;
  readonly #pool: PoolRequests;
  readonly #tree: ProcessTree;
  readonly #owners: Owners;
  readonly #ledger: Ledger;
  readonly #events: EventLog;
  #open = 0;
  #droppedAt = -Infinity;
  #prunedTo = 0;

  constructor(tgid: number, owner: StatsOwner, at: number, options: AttributionOptions) {
    this.tgid = tgid;
    this.owner = owner;
    this.trackedSince = at;
    this.settledTo = at;
    this.#options = options;
    const role = (thread: ThreadLog) => {
      thread.role ??= options.threadRole(thread.tgid, thread.tid);
      return thread.role;
    };
    this.#threads = new ThreadTable(options.limits, role);
    this.#notes = new ThreadNotes(this.steps, options.limits.marks);
    this.#pool = new PoolRequests(options.limits.poolRequests);
    this.#tree = new ProcessTree(options.limits.processes);
    this.#waits = new WaitLog(options);
    this.#events = new EventLog(options.limits.slices);
    const facts: JoinFacts = {
      tgid,
      steps: this.steps,
      pool: this.#pool,
      tree: this.#tree,
      marks: (tid) => this.#notes.marks(tid),
      gc: (tid) => this.#notes.gc(tid),
      waitsEnded: (tid, from, to) => this.#waits.endedIn(tid, from, to),
      final: (t) => t <= this.settledTo,
      role,
    };
    this.#owners = new Owners(facts);
    this.#ledger = new Ledger(options, owner, tgid);
  }

  /** Sums of all that the process and its children paid, each wakeup once. */
  get totals(): Tally {
    return this.#ledger.totals;
  }

  get keptSlices(): number {
    return this.#threads.kept;
  }

  get openSteps(): number {
    return this.#open;
  }

  /**
   * @param tidOf the host's tid of a thread as the client names it
   * @param recordedSince since when records are written, nanoseconds; 0: they are not
   */
  frame(session: string, frame: ClientFrame, tidOf: TidOf, recordedSince: number): void {
    switch (frame.type) {
      case 'step':
        this.#begin(session, frame, tidOf(frame.thread), recordedSince);
        break;
      case 'step_end':
        this.#end(frame.id, frame.at * 1000);
        break;
      case 'wait':
        this.#wait(session, frame, tidOf);
        break;
      case 'wait_end':
        this.#waits.end(`${session}/${frame.id}`, frame.at * 1000, frame.cancelled === true);
        break;
      case 'run':
        // What they tell of has been charged without them.
        if ((frame.marks[0] as number) * 1000 < this.settledTo)
          this.lost((frame.marks[0] as number) * 1000, this.settledTo);
        for (let i = 0; i < frame.marks.length; i += 2)
          this.#mark(tidOf(frame.thread), (frame.marks[i] as number) * 1000, frame.marks[i + 1] as string);
        break;
      case 'gc':
        for (let i = 0; i < frame.pauses.length; i += 2)
          this.#notes.pause(
            tidOf(frame.thread),
            (frame.pauses[i] as number) * 1000,
            (frame.pauses[i + 1] as number) * 1000,
          );
        break;
      case 'pool': {
        const step = frame.step === undefined ? undefined : this.steps.get(frame.step);
        if (!this.#pool.begin(session, frame.id, step, frame.at * 1000)) this.#drop(frame.at * 1000);
        break;
      }
      case 'pool_end':
        this.#pool.end(session, frame.id, frame.at * 1000);
        break;
    }
  }

  slice(slice: Slice): void {
    if (this.#threads.full) this.#settleHalf(slice.offAt);
    if (!this.#threads.add(slice, this.trackedSince)) this.#drop(slice.onAt);
  }

  event(event: EventRecord): void {
    if (!this.#events.add(event)) this.dropped++;
  }

  /** @returns false where there is no room to follow the child. */
  fork(fork: ForkRecord): boolean {
    const added = this.#tree.add(fork);
    if (!added) this.#drop(fork.at);
    return added;
  }

  exit(tgid: number, tid: number): void {
    this.#threads.exit(tgid, tid);
  }

  /** Whatever was open in [from, to] lacks something. */
  lost(from: number, to: number, why = 'lost'): void {
    for (const step of this.steps.values()) if (step.from <= to && step.to >= from) step.incomplete ??= why;
  }

  /** Whether the records of all that happened to the step's own thread up to `t` are in. */
  isRecorded(tid: number, t: number): boolean {
    return (this.#threads.get(tid)?.offAt ?? 0) >= t;
  }

  /** Whether anything is known of what the step's own thread did for it, or while it was open. */
  saw({ thread, from }: StepSpan, tally: Tally): boolean {
    const log = this.#threads.get(thread);
    // A thread that is gone and forgotten has had its slices.
    return log ? log.offAt > from : !tally.isEmpty;
  }

  /** The sums of steps that have ended, with what is not settled yet. */
  talliesOf(ended: readonly StepSpan[]): Map<StepSpan, Tally> {
    // Its only client has told of all that came before the ends that it told of.
    if (this.sessions.size === 1)
      for (const step of ended) if (this.isRecorded(step.thread, step.to)) this.settle(step.to);
    const tallies = new Map(ended.map((step) => [step, step.tally.clone()]));
    const sink = this.#ledger.into((owner) => tallies.get(owner));
    const from = Math.min(...ended.map((step) => step.from));
    const to = Math.max(...ended.map((step) => step.to));
    for (const thread of this.#threads.values()) {
      let end = thread.slices.length;
      while (end > 0 && (thread.slices[end - 1] as StoredSlice).start >= to) end--;
      charge(thread, thread.firstAfter(from), end, this.#owners, sink);
    }
    return tallies;
  }

  /** The wakeups that ended waits, where they are recorded; with `force`, the others are given up. */
  wakeups(force: (endedAt: number) => boolean, cost: (cost: WakeupCost) => void): void {
    this.#waits.resolve(
      (wait) => {
        const thread = this.#threads.get(wait.thread);
        if (!thread || thread.offAt < wait.to) {
          if (!force(wait.to)) return undefined;
          if (!thread) return null;
        }
        return thread.wakeupIn(wait.from, wait.to);
      },
      (wait, slice) => {
        const covered = this.#options.isCovered(slice.cpu, readyTime(slice));
        if (!covered && wait.windowAt(readyTime(slice))) {
          wait.step.tally.missed++;
          this.#ledger.totals.missed++;
        }
        cost({ wait: wait.name, ns: slice.onAt - readyTime(slice), covered, cpu: slice.cpu });
      },
    );
  }

  window(wait: string, at: number, open: boolean): void {
    this.#waits.window(wait, at, open);
  }

  /** A session is gone: nobody waits for what its steps paid, and they are over. */
  sessionEnded(session: string, at: number): void {
    this.sessions.delete(session);
    this.#pool.endSession(session, at);
    for (const step of this.steps.values()) {
      if (step.session !== session) continue;
      if (step.to === Infinity) {
        step.to = Math.max(at, step.from);
        this.steps.end(step);
        this.#open--;
      }
      step.reported = true;
      this.ending.delete(step);
    }
  }

  /**
   * Up to when all frames that can still matter have been read.
   * @param before when somebody last asked: what had been written by then has been read since, however late we are
   */
  announcedUntil(now: number, before: number): number {
    const { idle, busy } = this.#options.settleLagNs;
    let until = now - idle;
    for (const thread of this.#threads.values())
      if (thread.tid === this.tgid || (thread.tgid === this.tgid && this.steps.hasThread(thread.tid)))
        until = Math.min(until, thread.sleptAt);
    return Math.min(before, Math.max(until, now - busy));
  }

  /** Charges all that ended up to `until` for good, and forgets it. */
  settle(until: number): void {
    if (until <= this.settledTo) return;
    this.#owners.settleTree(until);
    // First: what exited children did is known as theirs only as long as they are.
    this.#events.settle(
      until,
      (event, t) => this.#ownersOf(event, t),
      (event, steps) => this.#options.stats?.event(event, this.owner, steps),
    );
    this.#threads.settle(
      until,
      (thread, count) => charge(thread, 0, count, this.#owners, this.#ledger),
      ({ tgid, tid }) => {
        this.#tree.remove(tgid, tid);
        if (tid === tgid) this.gone.push(tid);
      },
    );
    this.settledTo = until;
    if (until - this.#prunedTo >= this.#options.settleLagNs.idle / 2) this.#prune(until);
  }

  #ownersOf({ tgid, tid, stepId }: EventRecord, t: number): readonly StepSpan[] {
    const named = stepId ? this.steps.ofHalf(stepId) : undefined;
    if (named && named.from <= t && t < named.to) return [named];
    return this.#owners.at(this.#threads.get(tid) ?? new ThreadLog(tgid, tid), t);
  }

  /** Forgets what is told of times before, but for what slices that span it still need. */
  #prune(until: number): void {
    let before = until;
    for (const { start } of this.#threads.oldest()) before = Math.min(before, start);
    this.#prunedTo = until;
    this.steps.prune(before);
    this.#waits.prune(before);
    this.#pool.prune(before);
    this.#notes.prune(before);
  }

  /** There is no room for more: the older half of what is kept has to be charged with what is known by now. */
  #settleHalf(newest: number): void {
    let oldest = newest;
    for (const { offAt } of this.#threads.oldest()) oldest = Math.min(oldest, offAt);
    this.settle((oldest + newest) / 2);
  }

  #begin(session: string, frame: StepFrame, thread: number, recordedSince: number): void {
    const from = frame.at * 1000;
    if (this.#open >= this.#options.limits.steps) {
      this.#drop(from);
      return;
    }
    const late = recordedSince === 0 ? 'recorder_off' : from < recordedSince ? 'recorder_late' : undefined;
    const overlapped = this.#overlaps(thread, from);
    this.steps.add({
      session,
      id: frame.id,
      kind: frame.kind,
      key: frame.key ?? '',
      parent: frame.parent === undefined ? undefined : this.steps.get(frame.parent),
      thread,
      from,
      to: Infinity,
      wanted: frame.report !== false,
      tellsPool: frame.pool === true,
      tally: new Tally(),
      incomplete: late ?? (from < this.settledTo || from < this.#droppedAt + 1e6 ? 'lost' : undefined),
      reported: false,
    });
    this.#open++;
    // Marks are sent only while steps overlap: older ones say nothing of this overlap.
    if (!overlapped && this.#overlaps(thread, from)) this.#mark(thread, from, undefined);
  }

  #end(id: StepId, at: number): void {
    const step = this.steps.get(id);
    if (step?.to !== Infinity) return;
    step.to = Math.max(at, step.from);
    this.steps.end(step);
    this.#open--;
    if (step.wanted) this.ending.add(step);
  }

  #wait(session: string, frame: WaitFrame, tidOf: TidOf): void {
    const step = this.steps.get(frame.step);
    if (!step) return;
    const thread = frame.thread === undefined ? step.thread : tidOf(frame.thread);
    if (!this.#waits.begin(`${session}/${frame.id}`, step, thread, frame.at * 1000))
      this.#drop(frame.at * 1000);
  }

  #overlaps(thread: number, t: number): boolean {
    const open = this.steps.openAt(thread, t);
    // So deep a chain is none that anybody nests; and the answer has to be quick.
    return open.length > 64 || innermost(open).length > 1;
  }

  #mark(tid: number, at: number, who: string | undefined): void {
    const forgotten = this.#notes.mark(tid, at, who);
    if (forgotten > 0) this.#drop(forgotten);
  }

  /** What is open from `at` on is incomplete. Steps are marked once a millisecond: drops come in floods. */
  #drop(at: number): void {
    this.dropped++;
    if (at < this.#droppedAt + 1e6) return;
    this.#droppedAt = at;
    this.lost(at - 1e6, Infinity);
  }
}
