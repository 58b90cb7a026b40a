import type { Micros, SignalFrame, WaitEndFrame, WaitFrame } from '@prewake/sdk/protocol';
import type { GuardController, Hold, WindowRequest } from '../guards/guard.ts';
import type { Budget, Grant, Payer, Plan, PlannedWindow, PlanReason, Policy } from '../policy/index.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

/** A session as far as arming is concerned. */
export interface Claimant {
  readonly id: string;
  readonly payer: Payer;
  /** The task whose wakeup is awaited: where it last ran is where it is expected to wake. */
  task(thread: number | undefined): { tgid: number; tid: number; startTime: string };
}

export interface WindowsOptions {
  policy: Policy;
  budget: Budget;
  guards: GuardController;
  deadlines: Deadlines;
  now: () => Micros;
  /** Home CPU of a thread and the CPU that handled its last completion: the ones worth arming. */
  cpusOf: (tgid: number, tid: number) => number[];
  /** The deepest exit latency that an armed CPU may have, microseconds. */
  idleLatencyUs: number;
  /** A wakeup keeps its guards for this long, and each further wakeup renews it. Microseconds. */
  activeWindowUs: number;
}

/** What became of a wait's windows. */
export interface WaitOutcome {
  wait: string;
  session: string;
  reason: PlanReason | 'budget' | 'degraded' | 'paused' | 'active';
  /** A window of this wait, or the session's active window, was open when the wait ended. */
  open: boolean;
  armedUs: number;
  waitUs: number;
  cancelled: boolean;
  /** The last refusal, where there was one. */
  refused?: Extract<Grant, { granted: false }>;
}

export type WindowEvent =
  | {
      type: 'armed';
      session: string;
      wait: string;
      reason: string;
      at: Micros;
      lateUs: number;
      cpus: readonly number[];
    }
  | { type: 'released'; session: string; wait: string; at: Micros; armedUs: number }
  | { type: 'refused'; session: string; wait: string; at: Micros; grant: Extract<Grant, { granted: false }> };

/** Tokens are asked for in chunks of armed time that double, so that a long window is cut soon after the budget is dry. */
const FIRST_CHUNK_US = 10_000;
const LONGEST_CHUNK_US = 100_000;
/** A lease outlives its chunk by this much, so that the renewal, and not the expiry, decides. */
const LEASE_GRACE_US = 20_000;

/** One open claim on guards that the budget pays for, chunk by chunk. */
interface Claim {
  hold: Hold;
  since: Micros;
  paidUntil: Micros;
  /** Tokens for each armed microsecond. */
  rate: number;
  chunkUs: number;
}

interface OpenWait {
  readonly name: string;
  readonly claimant: Claimant;
  readonly frame: WaitFrame;
  plan: Plan;
  next: number;
  claim: Claim | undefined;
  deadline: Deadline | undefined;
  armedUs: number;
  refused: Extract<Grant, { granted: false }> | undefined;
}

/**
 * Turns plans into held guards: a deadline for each window's start, a lease paid in chunks while it is open, the
 * active window after its wakeup. All that a client says passes the budget before it reaches a guard.
 */
export class Windows {
  readonly #options: WindowsOptions;
  readonly #waits = new Map<string, OpenWait>();
  readonly #active = new Map<string, Claim & { deadline: Deadline }>();
  onEvent: ((event: WindowEvent) => void) | undefined;
  paused = false;

  constructor(options: WindowsOptions) {
    this.#options = options;
  }

  get openWaits(): number {
    return this.#waits.size;
  }

  waitStarted(claimant: Claimant, frame: WaitFrame): void {
    const name = `${claimant.id}/${frame.id}`;
    const plan = this.#options.policy.waitStarted({
      wait: name,
      session: claimant.id,
      payer: claimant.payer,
      kind: frame.kind,
      key: frame.key ?? '',
      at: frame.at,
      deadline: frame.deadline,
      inputTokens: frame.inputTokens,
      stream: frame.stream,
    });
    const wait: OpenWait = {
      name,
      claimant,
      frame,
      plan,
      next: 0,
      claim: undefined,
      deadline: undefined,
      armedUs: 0,
      refused: undefined,
    };
    this.#waits.set(name, wait);
    this.#toNextWindow(wait);
  }

  signal(claimant: Claimant, frame: SignalFrame): void {
    const wait = this.#waits.get(`${claimant.id}/${frame.wait}`);
    if (!wait) return;
    const plan = this.#options.policy.signal({
      wait: wait.name,
      signal: frame.signal,
      at: frame.at,
      deadline: frame.deadline,
    });
    if (!plan) return;
    wait.plan = plan;
    wait.next = 0;
    // An open window goes on where the new plan still wants one now.
    const elapsed = this.#options.now() - wait.frame.at;
    while (wait.plan.windows[wait.next] && (wait.plan.windows[wait.next] as PlannedWindow).disarm <= elapsed)
      wait.next++;
    const window = wait.plan.windows[wait.next];
    if (wait.claim && window && window.arm <= elapsed) this.#toEndOfChunk(wait, window);
    else {
      this.#release(wait);
      this.#toNextWindow(wait);
    }
  }

  waitEnded(claimant: Claimant, frame: WaitEndFrame): WaitOutcome | undefined {
    const wait = this.#waits.get(`${claimant.id}/${frame.id}`);
    if (!wait) return undefined;
    const armed = wait.claim !== undefined;
    const open = armed || this.#active.has(claimant.id);
    if (!frame.cancelled) this.#renewActive(wait);
    this.#forget(wait);
    this.#options.policy.waitEnded({ wait: wait.name, at: frame.at, cancelled: frame.cancelled });
    return {
      wait: wait.name,
      session: claimant.id,
      reason: armed || !wait.refused ? wait.plan.reason : wait.refused.reason,
      open,
      armedUs: wait.armedUs,
      waitUs: frame.at - wait.frame.at,
      cancelled: frame.cancelled === true,
      ...(wait.refused && { refused: wait.refused }),
    };
  }

  /** Lets go of all that a session holds. Its open waits are not learned from: nobody knows how they ended. */
  sessionEnded(claimant: Claimant, openWaits: Iterable<number>): void {
    for (const id of openWaits) {
      const wait = this.#waits.get(`${claimant.id}/${id}`);
      if (wait) this.#forget(wait);
    }
    this.#endActive(claimant.id);
    this.#options.guards.releaseOwner(claimant.id);
    this.#options.policy.sessionEnded(claimant.id);
  }

  /** An administrator's pause wins over every lease. */
  pause(): void {
    this.paused = true;
    for (const wait of this.#waits.values()) this.#release(wait);
    for (const session of [...this.#active.keys()]) this.#endActive(session);
    this.#options.guards.releaseAll();
  }

  resume(): void {
    this.paused = false;
  }

  #toNextWindow(wait: OpenWait): void {
    const window = wait.plan.windows[wait.next];
    if (!window) return;
    const due = wait.frame.at + window.arm;
    if (due <= this.#options.now()) this.#open(wait, window);
    else wait.deadline = this.#options.deadlines.at(due, () => this.#open(wait, window));
  }

  #open(wait: OpenWait, window: PlannedWindow): void {
    const now = this.#options.now();
    const end = wait.frame.at + window.disarm;
    if (end <= now) {
      wait.next++;
      this.#toNextWindow(wait);
      return;
    }
    const claim = this.#claim(
      wait,
      `${wait.plan.reason} ${wait.name}`,
      Math.min(FIRST_CHUNK_US, end - now),
      now,
    );
    if (!claim) {
      const retryAt = now + (wait.refused?.retryMs ?? 0) * 1000;
      if (retryAt < end && retryAt > now)
        wait.deadline = this.#options.deadlines.at(retryAt, () => this.#open(wait, window));
      return;
    }
    wait.claim = claim;
    this.onEvent?.({
      type: 'armed',
      session: wait.claimant.id,
      wait: wait.name,
      reason: wait.plan.reason,
      at: now,
      lateUs: now - Math.max(wait.frame.at, wait.frame.at + window.arm),
      cpus: claim.hold.cpus,
    });
    this.#toEndOfChunk(wait, window);
  }

  #toEndOfChunk(wait: OpenWait, window: PlannedWindow): void {
    this.#options.deadlines.cancel(wait.deadline);
    const claim = wait.claim as Claim;
    const end = wait.frame.at + window.disarm;
    wait.deadline = this.#options.deadlines.at(Math.min(claim.paidUntil, end), () => {
      const now = this.#options.now();
      if (now + 1 >= end) {
        this.#release(wait);
        wait.next++;
        this.#toNextWindow(wait);
      } else this.#nextChunk(wait, window, now);
    });
  }

  #nextChunk(wait: OpenWait, window: PlannedWindow, now: Micros): void {
    const claim = wait.claim as Claim;
    claim.chunkUs = Math.min(claim.chunkUs * 2, LONGEST_CHUNK_US);
    const until = Math.min(now + claim.chunkUs, wait.frame.at + window.disarm);
    const grant = this.#pay(wait.claimant.payer, claim.rate * Math.max(0, until - claim.paidUntil), now);
    if (grant.granted) {
      claim.paidUntil = until;
      this.#options.guards.extend(claim.hold, until + LEASE_GRACE_US);
      this.#toEndOfChunk(wait, window);
      return;
    }
    this.#refuse(wait, grant, now);
    this.#release(wait);
    wait.deadline = this.#options.deadlines.at(now + Math.max(1, grant.retryMs) * 1000, () =>
      this.#open(wait, window),
    );
  }

  /** Asks the budget, then the guards. */
  #claim(wait: OpenWait, reason: string, lengthUs: number, now: Micros): Claim | undefined {
    const task = wait.claimant.task(wait.frame.thread);
    const request: WindowRequest = {
      owner: wait.claimant.id,
      reason,
      cpus: this.#options.cpusOf(task.tgid, task.tid),
      tasks: [task],
      latencyUs: this.#options.idleLatencyUs,
      expiresAt: now + lengthUs + LEASE_GRACE_US,
    };
    const rate = this.#options.guards.price(request) / 1000;
    const grant = this.#pay(wait.claimant.payer, rate * lengthUs, now);
    if (!grant.granted) {
      this.#refuse(wait, grant, now);
      return undefined;
    }
    const hold = this.#options.guards.arm(request);
    return { hold, since: now, paidUntil: now + lengthUs, rate, chunkUs: lengthUs };
  }

  #pay(payer: Payer, tokens: number, now: Micros): Grant {
    if (this.paused) return { granted: false, reason: 'paused', bucket: 'host', retryMs: 1000 };
    return this.#options.budget.request(payer, tokens, now);
  }

  #refuse(wait: OpenWait, grant: Extract<Grant, { granted: false }>, now: Micros): void {
    wait.refused = grant;
    this.onEvent?.({ type: 'refused', session: wait.claimant.id, wait: wait.name, at: now, grant });
  }

  #release(wait: OpenWait): void {
    this.#options.deadlines.cancel(wait.deadline);
    wait.deadline = undefined;
    const claim = wait.claim;
    if (!claim) return;
    wait.claim = undefined;
    const now = this.#options.now();
    const armedUs = now - claim.since;
    wait.armedUs += armedUs;
    this.#drop(claim, wait.claimant.payer, now);
    this.onEvent?.({ type: 'released', session: wait.claimant.id, wait: wait.name, at: now, armedUs });
  }

  #drop(claim: Claim, payer: Payer, now: Micros): void {
    this.#options.guards.release(claim.hold);
    const unused = claim.rate * (claim.paidUntil - now);
    if (unused > 0) this.#options.budget.refund(payer, unused, now);
  }

  #forget(wait: OpenWait): void {
    this.#release(wait);
    this.#waits.delete(wait.name);
  }

  /** A wakeup starts the session's active window, or renews it; waits that are left alone on purpose have none. */
  #renewActive(wait: OpenWait): void {
    const { activeWindowUs, deadlines, guards } = this.#options;
    if (activeWindowUs <= 0 || wait.plan.reason === 'no_benefit' || wait.plan.reason === 'holdout') return;
    const now = this.#options.now();
    const session = wait.claimant.id;
    const running = this.#active.get(session);
    const until = now + activeWindowUs;
    if (running) {
      const grant = this.#pay(
        wait.claimant.payer,
        running.rate * Math.max(0, until - running.paidUntil),
        now,
      );
      if (!grant.granted) return;
      running.paidUntil = until;
      guards.extend(running.hold, until + LEASE_GRACE_US);
      deadlines.cancel(running.deadline);
      running.deadline = deadlines.at(until, () => this.#endActive(session));
      return;
    }
    const claim = this.#claim(wait, `active ${session}`, activeWindowUs, now);
    if (claim)
      this.#active.set(session, { ...claim, deadline: deadlines.at(until, () => this.#endActive(session)) });
  }

  #endActive(session: string): void {
    const active = this.#active.get(session);
    if (!active) return;
    this.#active.delete(session);
    this.#options.deadlines.cancel(active.deadline);
    this.#options.guards.release(active.hold);
  }
}
