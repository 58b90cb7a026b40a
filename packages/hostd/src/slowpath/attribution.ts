import type { ClientFrame, ReportFrame, StepId } from '@prewake/sdk/protocol';
import type { RecordSink } from '../kernel/recorder.ts';
import type { EventRecord, ExitRecord, ForkRecord, Slice } from '../kernel/slice.ts';
import type { WakeupCost } from '../policy/index.ts';
import { type AttributionOptions, defaultAttributionOptions } from './options.ts';
import { ProcessAttribution, type TidOf } from './process-attribution.ts';
import { reportOf, sourceOf, unknownReport } from './report.ts';
import type { StepSpan } from './step-table.ts';
import type { Tally } from './tally.ts';

/** What came of looking: reports that are due, and what wakeups cost. */
export interface Findings {
  report(session: string, report: ReportFrame): void;
  wakeupCost(cost: WakeupCost): void;
}

/** Who a session is. */
export interface SessionIdentity {
  readonly id: string;
  readonly tgid: number;
  /** Default: what the client says, and its main thread where it says nothing. */
  readonly thread?: TidOf;
  /** uid and cgroup path, for statistics. Default 0 and `/`. */
  readonly user?: number;
  readonly cgroup?: string;
}

interface Session {
  readonly process: ProcessAttribution;
  readonly tidOf: TidOf;
}

/**
 * Joins the kernel's records to the steps of sessions. It is fed with frames (checked by the session layer) and
 * with records, and knows no kernel, no socket and no clock. docs/attribution.md defines what it says.
 */
export class Attribution implements RecordSink {
  readonly #options: AttributionOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #processes = new Set<ProcessAttribution>();
  /** The processes of sessions, and the children that they have spawned. */
  readonly #byTgid = new Map<number, ProcessAttribution>();
  /** Since when records are written, nanoseconds; 0: they are not. */
  #recordedSince = 0;
  #available = 0;
  #drainedAt = 0;
  #lookedAt = 0;

  constructor(options: Partial<AttributionOptions> = {}) {
    this.#options = { ...defaultAttributionOptions, ...options };
  }

  /** @param at nanoseconds @param available {@link Known} bits that the loaded programs can fill in */
  recorderAttached(at: number, available: number): void {
    this.#recordedSince = at;
    this.#available = available;
    this.#drainedAt = at;
  }

  recorderDetached(at: number): void {
    for (const process of this.#processes) process.lost(at, Infinity, 'recorder_off');
    this.#recordedSince = 0;
  }

  /** @param at since when its process is tracked, nanoseconds: a step that began before has missed records */
  sessionStarted(identity: SessionIdentity, at: number): void {
    const { id, tgid } = identity;
    let process = this.#byTgid.get(tgid);
    // Also where its process is another session's child: it speaks for itself now.
    if (process?.tgid !== tgid) {
      const owner = { user: identity.user ?? 0, session: id, cgroup: identity.cgroup ?? '/' };
      process = new ProcessAttribution(tgid, owner, at, this.#options);
      this.#processes.add(process);
      this.#byTgid.set(tgid, process);
    }
    process.sessions.add(id);
    this.#sessions.set(id, { process, tidOf: identity.thread ?? ((theirs) => theirs ?? tgid) });
  }

  sessionEnded(id: string): void {
    const process = this.#sessions.get(id)?.process;
    if (!process) return;
    this.#sessions.delete(id);
    process.sessionEnded(id, this.#drainedAt);
    if (process.sessions.size > 0) return;
    // Nothing more will be told of it.
    process.settle(Infinity);
    this.#processes.delete(process);
    for (const [tgid, owner] of this.#byTgid) if (owner === process) this.#byTgid.delete(tgid);
  }

  frame(id: string, frame: ClientFrame): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    // Nothing will be found of what is not recorded.
    if (this.#recordedSince === 0 && frame.type !== 'step' && frame.type !== 'step_end') return;
    const since = this.#recordedSince && Math.max(this.#recordedSince, session.process.trackedSince);
    session.process.frame(id, frame, session.tidOf, since);
  }

  slice(slice: Slice): void {
    this.#byTgid.get(slice.tgid)?.slice(slice);
  }

  fork(fork: ForkRecord): void {
    const process = this.#byTgid.get(fork.parentTgid);
    if (!process?.fork(fork)) return;
    if (this.#byTgid.get(fork.childTgid)?.tgid !== fork.childTgid) this.#byTgid.set(fork.childTgid, process);
  }

  exit(exit: ExitRecord): void {
    this.#byTgid.get(exit.tgid)?.exit(exit.tgid, exit.tid);
  }

  event(event: EventRecord): void {
    if (this.#options.stats) this.#byTgid.get(event.tgid)?.event(event);
  }

  /** The ring has been read. @param now nanoseconds @param lost records that it could not hold since the last time */
  drained(now: number, lost: number): void {
    if (lost > 0) for (const process of this.#processes) process.lost(this.#drainedAt, now);
    this.#drainedAt = now;
  }

  /** A window was opened (a guard is held) for a wait. @param wait `<session>/<id>` @param at nanoseconds */
  windowOpened(session: string, wait: string, at: number): void {
    this.#sessions.get(session)?.process.window(wait, at, true);
  }

  windowClosed(session: string, wait: string, at: number): void {
    this.#sessions.get(session)?.process.window(wait, at, false);
  }

  /** Whether reports are waiting for records. */
  get pending(): boolean {
    for (const process of this.#processes) if (process.ending.size > 0) return true;
    return false;
  }

  /**
   * Gives what can be told now: to be called after each drain, once frames that had come by then have been fed.
   * @param now nanoseconds
   */
  findings(now: number, out: Findings): void {
    const overdue = (t: number) => now >= t + this.#options.graceNs;
    for (const process of this.#processes) {
      process.wakeups(overdue, (cost) => out.wakeupCost(cost));
      this.#report(process, overdue, out);
      const until = process.announcedUntil(now, this.#lookedAt);
      // Not at every look: in bulk it is cheaper.
      if (until - process.settledTo >= this.#options.settleLagNs.idle / 2) process.settle(until);
    }
    this.#lookedAt = now;
    this.#forgetProcesses();
  }

  /** The steps of a process that can be told of now. Each slice is charged once for all of them. */
  #report(process: ProcessAttribution, overdue: (t: number) => boolean, out: Findings): void {
    const told: { step: StepSpan; incomplete: string | undefined }[] = [];
    for (const step of process.ending) {
      const known = step.incomplete !== 'recorder_off' && step.incomplete !== 'recorder_late';
      const recorded = process.isRecorded(step.thread, step.to);
      if (known && !recorded && !overdue(step.to)) continue;
      process.ending.delete(step);
      step.reported = true;
      if (known) told.push({ step, incomplete: recorded ? undefined : 'open' });
      else out.report(step.session, unknownReport(step.id, this.#source, step.incomplete as string));
    }
    if (told.length === 0) return;
    const tallies = process.talliesOf(told.map(({ step }) => step));
    for (const { step, incomplete } of told) {
      const tally = tallies.get(step) as Tally;
      if (incomplete && !process.saw(step, tally)) {
        out.report(step.session, unknownReport(step.id, this.#source, step.incomplete ?? incomplete));
        continue;
      }
      out.report(step.session, reportOf(step.id, tally, this.#available, step.incomplete ?? incomplete));
    }
  }

  /** Whether a step is kept. Beyond the limit of open steps one is not, and nothing can be told of it. */
  follows(session: string, step: StepId): boolean {
    return this.#sessions.get(session)?.process.steps.get(step) !== undefined;
  }

  /** The answer for a step that is not kept. */
  untold(step: StepId): ReportFrame {
    return unknownReport(step, this.#source, 'too_many_steps');
  }

  /** Sums of all that a session's process and its children paid, each wakeup once, up to the settling lag. */
  totals(session: string): Tally | undefined {
    return this.#sessions.get(session)?.process.totals;
  }

  /** For metrics: what is kept, and what there was no room for. */
  load(): { sessions: number; steps: number; slices: number; processes: number; dropped: number } {
    const load = {
      sessions: this.#sessions.size,
      steps: 0,
      slices: 0,
      processes: this.#byTgid.size,
      dropped: 0,
    };
    for (const process of this.#processes) {
      load.steps += process.openSteps;
      load.slices += process.keptSlices;
      load.dropped += process.dropped;
    }
    return load;
  }

  get #source(): ReportFrame['source'] {
    return this.#recordedSince > 0 ? sourceOf(this.#available) : 'none';
  }

  /** Drops the routes of children that are gone and settled. */
  #forgetProcesses(): void {
    for (const process of this.#processes) {
      for (const tgid of process.gone)
        if (tgid !== process.tgid && this.#byTgid.get(tgid) === process) this.#byTgid.delete(tgid);
      process.gone.length = 0;
    }
  }
}
