import type { Micros, ReportFrame, StepId } from '@prewake/sdk/protocol';
import type { Recorder } from '../kernel/recorder.ts';
import type { WakeupCost } from '../policy/index.ts';
import type { Attribution } from '../slowpath/attribution.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/**
 * When to look for the slice in which a step ended, microseconds after the look before. With the wait for the agent
 * below it stays within the 250 ms for which the SDK holds a span. The first gives an agent whose steps follow each
 * other the time to wake hostd itself.
 */
const LOOKS_US = [50_000, 50_000, 55_000];
/** After this part of that time hostd looks where it is awake anyway: it need not wake for it. */
const EARLIEST = 0.05;
/** A report that is ready waits this long for the agent to be awake anyway, microseconds. */
const WAIT_FOR_AGENT_US = 60_000;

/** Without reports that are due, the ring is read this often at most, for what wakeups cost. */
const STALE_US = 100_000;

/**
 * Reads the recorder when a step has ended, until its report is there, and sends it. The agent has gone on
 * meanwhile: it may wait again, and a frame would wake it. So a report rides with the answer to the agent's next
 * frame, and is sent by itself only when none comes. While no report is due there is no timer.
 */
export class Reports {
  readonly #recorder: Recorder;
  readonly #attribution: Attribution;
  readonly #sessions: Sessions;
  readonly #deadlines: Deadlines;
  readonly #now: () => Micros;
  readonly #flushes = new Map<Session, Deadline>();
  #drainedAt = 0;
  #telling: NodeJS.Immediate | undefined;
  #drain: NodeJS.Immediate | undefined;
  #look = 0;
  #next: Deadline | undefined;
  #earliest = 0;
  readonly records = { read: 0, lost: 0 };
  onReport: ((session: Session, report: ReportFrame) => void) | undefined;
  onWakeupCost: ((cost: WakeupCost) => void) | undefined;

  constructor(options: {
    recorder: Recorder;
    attribution: Attribution;
    sessions: Sessions;
    deadlines: Deadlines;
    now: () => Micros;
  }) {
    this.#recorder = options.recorder;
    this.#attribution = options.attribution;
    this.#sessions = options.sessions;
    this.#deadlines = options.deadlines;
    this.#now = options.now;
  }

  /** A step is about to end, and wants a report: it is due soon. */
  stepEnding(session: Session, step: StepId): void {
    if (!this.#attribution.follows(session.id, step)) {
      this.#deliver(session, this.#attribution.untold(step));
      return;
    }
    this.#look = 0;
    if (!this.#next) this.#schedule();
  }

  /** hostd is awake anyway: reads what has gathered, where a step's end has asked for it, or nobody has lately. */
  whileAwake(): void {
    if (this.#drain) return;
    const now = this.#now();
    const due = this.#next
      ? now >= this.#earliest
      : now - this.#drainedAt > STALE_US && this.#sessions.size > 0;
    if (!due) return;
    // After the hints that have come with this one.
    this.#drain = setImmediate(() => {
      this.#drain = undefined;
      if (this.#next) this.#takeALook();
      else this.drain();
    });
  }

  /** The agent has sent something: what waited for that has gone along with the answer. */
  agentAwake(session: Session): void {
    const flush = this.#flushes.get(session);
    if (!flush) return;
    this.#deadlines.cancel(flush);
    this.#flushes.delete(session);
  }

  sessionEnded(session: Session): void {
    this.agentAwake(session);
  }

  /**
   * Reads what the ring holds. What can be told of it is given out once sockets have been polled: frames that are
   * there by now say whose the records are.
   */
  drain(): void {
    this.#drainedAt = this.#now();
    if (this.#recorder.attached) {
      const { records, lost } = this.#recorder.drain(this.#attribution);
      this.records.read += records;
      this.records.lost += lost;
      this.#attribution.drained(this.#drainedAt * 1000, lost);
    }
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    this.#attribution.findings(this.#now() * 1000, {
      report: (id, report) => this.#deliver(this.#sessions.get(id), report),
      wakeupCost: (cost) => this.onWakeupCost?.(cost),
    });
    if (this.#attribution.pending && !this.#next) this.#schedule();
  }

  #schedule(): void {
    const delay = LOOKS_US[Math.min(this.#look, LOOKS_US.length - 1)] as number;
    const now = this.#now();
    this.#earliest = now + delay * EARLIEST;
    this.#next = this.#deadlines.at(now + delay, () => this.#takeALook());
  }

  #takeALook(): void {
    this.#deadlines.cancel(this.#next);
    this.#next = undefined;
    this.#look++;
    this.drain();
  }

  #deliver(session: Session | undefined, report: ReportFrame): void {
    if (!session) return;
    session.sendWhenAwake(report);
    this.onReport?.(session, report);
    if (this.#flushes.has(session)) return;
    this.#flushes.set(
      session,
      this.#deadlines.at(this.#now() + WAIT_FOR_AGENT_US, () => {
        this.#flushes.delete(session);
        session.flush();
      }),
    );
  }
}
