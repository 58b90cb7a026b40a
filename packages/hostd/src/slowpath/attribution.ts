import type { ClientFrame, Micros, ReportFrame } from '@prewake/sdk/protocol';
import type { WakeupCost } from '../policy/index.ts';
import { type AttributionOptions, defaultAttributionOptions } from './options.ts';
import type { RecordSink } from './recorder.ts';
import { reportOf, unknownReport } from './report.ts';
import { SessionAttribution, type SessionIdentity } from './session-attribution.ts';
import type { ExitRecord, ForkRecord, Slice } from './slice.ts';
import type { Tally } from './tally.ts';

/** What came of looking: reports that are due, and what wakeups cost. */
export interface Findings {
  report(session: string, report: ReportFrame): void;
  wakeupCost(cost: WakeupCost): void;
}

/**
 * Joins the kernel's records to the steps of sessions. It is fed with frames (checked by the session layer) and
 * with records, and knows no kernel, no socket and no clock. docs/attribution.md defines what it says.
 */
export class Attribution implements RecordSink {
  readonly #options: AttributionOptions;
  readonly #sessions = new Map<string, SessionAttribution>();
  readonly #byTgid = new Map<number, SessionAttribution>();
  /** Since when records are written, nanoseconds; 0: they are not. */
  #recordedSince = 0;
  #available = 0;
  #drainedAt = 0;

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
    for (const session of this.#sessions.values()) session.lost(at, Infinity, 'recorder_off');
    this.#recordedSince = 0;
  }

  /** @param at since when its processes are tracked, nanoseconds */
  sessionStarted(identity: SessionIdentity, at: number): void {
    const session = new SessionAttribution(identity, at, this.#options);
    this.#sessions.set(identity.id, session);
    // Also where its process is another session's child: it speaks for itself now.
    this.#byTgid.set(identity.tgid, session);
  }

  sessionEnded(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    for (const [tgid, owner] of this.#byTgid) if (owner === session) this.#byTgid.delete(tgid);
  }

  frame(id: string, frame: ClientFrame): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    // A step from before its session was tracked has missed records, too.
    const since = this.#recordedSince && Math.max(this.#recordedSince, session.trackedSince);
    session.frame(frame, since);
  }

  slice(slice: Slice): void {
    this.#byTgid.get(slice.tgid)?.slice(slice);
  }

  fork(fork: ForkRecord): void {
    const session = this.#byTgid.get(fork.parentTgid);
    if (!session?.fork(fork)) return;
    if (this.#byTgid.get(fork.childTgid)?.identity.tgid !== fork.childTgid)
      this.#byTgid.set(fork.childTgid, session);
  }

  exit(exit: ExitRecord): void {
    this.#byTgid.get(exit.tgid)?.exit(exit.tgid, exit.tid);
  }

  /** The ring has been read. @param now nanoseconds @param lost records that it could not hold since the last time */
  drained(now: number, lost: number): void {
    if (lost > 0) for (const session of this.#sessions.values()) session.lost(this.#drainedAt, now);
    this.#drainedAt = now;
  }

  /** A window was opened (a guard is held) for a wait. @param at nanoseconds */
  windowOpened(session: string, wait: number, at: number): void {
    this.#sessions.get(session)?.windowOpened(wait, at);
  }

  windowClosed(session: string, wait: number, at: number): void {
    this.#sessions.get(session)?.windowClosed(wait, at);
  }

  /** Whether reports are waiting for records. */
  get pending(): boolean {
    for (const session of this.#sessions.values()) if (session.ending.size > 0) return true;
    return false;
  }

  /** Gives what can be told now: to be called after each drain. @param now nanoseconds */
  findings(now: number, out: Findings): void {
    const overdue = (t: number) => now >= t + this.#options.graceNs;
    for (const session of this.#sessions.values()) {
      session.wakeups(overdue, (cost) => out.wakeupCost(cost));
      for (const step of session.ending) {
        const known = step.incomplete !== 'recorder_off' && step.incomplete !== 'recorder_late';
        const recorded = session.isRecorded(step.thread, step.to);
        if (known && !recorded && !overdue(step.to)) continue;
        session.ending.delete(step);
        step.reported = true;
        if (!known)
          out.report(session.identity.id, unknownReport(step.id, this.#source, step.incomplete ?? ''));
        else {
          const incomplete = step.incomplete ?? (recorded ? undefined : 'open');
          out.report(
            session.identity.id,
            reportOf(step.id, session.tallyOf(step), this.#available, incomplete),
          );
        }
      }
      session.settle(now - this.#options.settleLagNs);
    }
    this.#forgetProcesses();
  }

  /** Sums of all that a session's processes paid, each wakeup once, up to the settling lag. */
  totals(session: string): Tally | undefined {
    return this.#sessions.get(session)?.totals;
  }

  /** For metrics: what is kept, and what there was no room for. */
  load(): { sessions: number; steps: number; slices: number; processes: number; dropped: number } {
    const load = { sessions: 0, steps: 0, slices: 0, processes: this.#byTgid.size, dropped: 0 };
    for (const session of this.#sessions.values()) {
      load.sessions++;
      load.steps += session.openSteps;
      load.slices += session.keptSlices;
      load.dropped += session.dropped;
    }
    return load;
  }

  get #source(): ReportFrame['source'] {
    return this.#recordedSince > 0 ? 'bpf' : 'none';
  }

  /** Drops the routes of processes that are gone and settled. */
  #forgetProcesses(): void {
    for (const session of this.#sessions.values()) {
      for (const tgid of session.gone) if (this.#byTgid.get(tgid) === session) this.#byTgid.delete(tgid);
      session.gone.length = 0;
    }
  }
}
