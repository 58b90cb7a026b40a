import type { Micros, SignalFrame, WaitEndFrame, WaitFrame } from '@prewake/sdk/protocol';
import type { GuardController } from '../guards/guard.ts';
import type { Plan, PlannedWindow, PlanReason, Policy } from '../policy/index.ts';
import type { Claim, Claimant, Claims, Refusal } from './claims.ts';
import { type Deadline, type Deadlines, SLACK_US } from './deadlines.ts';

export interface WindowsOptions {
  policy: Policy;
  claims: Claims;
  guards: GuardController;
  deadlines: Deadlines;
  now: () => Micros;
  /** A wakeup keeps its guards for this long, and each further wakeup renews it. Microseconds. */
  activeWindowUs: number;
}

/** What became of a wait's windows. */
export interface WaitOutcome {
  wait: string;
  session: string;
  reason: PlanReason | 'budget' | 'degraded' | 'paused' | 'active';
  /** A window of this wait was open when it ended. */
  armed: boolean;
  /** That, or the session's active window. */
  open: boolean;
  /** Armed within the wait, microseconds. */
  armedUs: number;
  waitUs: number;
  cancelled: boolean;
  /** The last refusal, where there was one. */
  refused?: Refusal;
}

export type WindowEvent =
  /** A window is to open later, on the CPUs that `cpus` looks up. */
  | { type: 'planned'; session: string; wait: string; at: Micros; cpus: () => readonly number[] }
  | {
      type: 'armed';
      session: string;
      wait: string;
      reason: string;
      at: Micros;
      lateUs: number;
      /** It had been planned before its time: what it is late by is hostd's own. */
      planned: boolean;
      cpus: readonly number[];
    }
  | { type: 'released'; session: string; wait: string; at: Micros; armedUs: number }
  | { type: 'refused'; session: string; wait: string; at: Micros; grant: Refusal };

/** Tokens are asked for in chunks of armed time that double, so that a long window is cut soon after the budget is dry. */
const FIRST_CHUNK_US = 10_000;
const LONGEST_CHUNK_US = 100_000;
interface OpenWait {
  readonly name: string;
  readonly claimant: Claimant;
  readonly frame: WaitFrame;
  plan: Plan;
  next: number;
  claim: Claim | undefined;
  chunkUs: number;
  deadline: Deadline | undefined;
  armedUs: number;
  refused: Refusal | undefined;
}

/**
 * Turns plans into held guards: a deadline for each window's start, a lease paid in chunks while it is open, the
 * active window after its wakeup. All that a client says passes the budget before it reaches a guard.
 */
export class Windows {
  readonly #options: WindowsOptions;
  readonly #waits = new Map<string, OpenWait>();
  readonly #active = new Map<string, { claim: Claim; deadline: Deadline }>();
  onEvent: ((event: WindowEvent) => void) | undefined;

  constructor(options: WindowsOptions) {
    this.#options = options;
  }

  get openWaits(): number {
    return this.#waits.size;
  }

  get paused(): boolean {
    return this.#options.claims.paused;
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
      chunkUs: FIRST_CHUNK_US,
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
    this.#forget(wait, frame.at);
    // A pause says nothing of what the budget can pay.
    const cut = wait.refused !== undefined && wait.refused.reason !== 'paused';
    const heldUs = cut ? wait.armedUs : undefined;
    this.#options.policy.waitEnded({
      wait: wait.name,
      at: frame.at,
      cancelled: frame.cancelled,
      armed,
      heldUs,
    });
    return {
      wait: wait.name,
      session: claimant.id,
      reason: armed || !wait.refused ? wait.plan.reason : wait.refused.reason,
      armed,
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
    this.#options.policy.sessionEnded(claimant.id, this.#options.now());
  }

  /** An administrator's pause wins over every lease. */
  pause(): void {
    this.#options.claims.paused = true;
    for (const wait of this.#waits.values()) this.#release(wait);
    for (const session of [...this.#active.keys()]) this.#endActive(session);
    this.#options.guards.releaseAll();
  }

  resume(): void {
    this.#options.claims.paused = false;
  }

  #toNextWindow(wait: OpenWait): void {
    const window = wait.plan.windows[wait.next];
    if (!window || !this.#options.claims.useful) return;
    const due = wait.frame.at + window.arm;
    const now = this.#options.now();
    if (due <= now) {
      this.#open(wait, window);
      return;
    }
    wait.deadline = this.#options.deadlines.at(due, () => this.#open(wait, window, true));
    const { claimant, frame, name } = wait;
    const cpus = () => this.#options.claims.cpusOf(claimant, frame.thread);
    this.onEvent?.({ type: 'planned', session: claimant.id, wait: name, at: now, cpus });
  }

  #open(wait: OpenWait, window: PlannedWindow, planned = false): void {
    const now = this.#options.now();
    const end = wait.frame.at + window.disarm;
    if (end <= now) {
      wait.next++;
      this.#toNextWindow(wait);
      return;
    }
    const { claimant, frame, plan } = wait;
    wait.chunkUs = FIRST_CHUNK_US;
    const reason = `${plan.reason} ${wait.name}`;
    const claim = this.#options.claims.open(
      claimant,
      frame.thread,
      reason,
      Math.min(wait.chunkUs, end - now),
    );
    if ('granted' in claim) {
      this.#refuse(wait, claim, now);
      const retryAt = now + claim.retryMs * 1000;
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
      planned,
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
      if (now + SLACK_US >= end) {
        this.#release(wait);
        wait.next++;
        this.#toNextWindow(wait);
      } else this.#nextChunk(wait, window, now);
    });
  }

  #nextChunk(wait: OpenWait, window: PlannedWindow, now: Micros): void {
    wait.chunkUs = Math.min(wait.chunkUs * 2, LONGEST_CHUNK_US);
    const until = Math.min(now + wait.chunkUs, wait.frame.at + window.disarm);
    const refusal = this.#options.claims.extend(wait.claim as Claim, until);
    if (!refusal) {
      this.#toEndOfChunk(wait, window);
      return;
    }
    this.#refuse(wait, refusal, now);
    this.#release(wait);
    wait.deadline = this.#options.deadlines.at(now + Math.max(1, refusal.retryMs) * 1000, () =>
      this.#open(wait, window),
    );
  }

  #refuse(wait: OpenWait, grant: Refusal, now: Micros): void {
    wait.refused = grant;
    this.onEvent?.({ type: 'refused', session: wait.claimant.id, wait: wait.name, at: now, grant });
  }

  /** @param ended when the wait ended, where it did: what is held after that is not time waited */
  #release(wait: OpenWait, ended = Number.POSITIVE_INFINITY): void {
    this.#options.deadlines.cancel(wait.deadline);
    wait.deadline = undefined;
    const claim = wait.claim;
    if (!claim) return;
    wait.claim = undefined;
    const at = this.#options.claims.drop(claim);
    wait.armedUs += Math.max(0, Math.min(at, ended) - claim.since);
    const armedUs = at - claim.since;
    this.onEvent?.({ type: 'released', session: wait.claimant.id, wait: wait.name, at, armedUs });
  }

  #forget(wait: OpenWait, ended?: Micros): void {
    this.#release(wait, ended);
    this.#waits.delete(wait.name);
  }

  /** A wakeup starts the session's active window, or renews it; waits that are left alone on purpose have none. */
  #renewActive(wait: OpenWait): void {
    const { activeWindowUs, claims, deadlines, now } = this.#options;
    if (
      activeWindowUs <= 0 ||
      !claims.useful ||
      wait.plan.reason === 'no_benefit' ||
      wait.plan.reason === 'holdout'
    )
      return;
    const session = wait.claimant.id;
    const until = now() + activeWindowUs;
    const running = this.#active.get(session);
    if (running) {
      if (claims.extend(running.claim, until)) return;
      deadlines.cancel(running.deadline);
      running.deadline = deadlines.at(until, () => this.#endActive(session));
      return;
    }
    const claim = claims.open(wait.claimant, wait.frame.thread, `active ${session}`, activeWindowUs, true);
    if ('granted' in claim) this.#refuse(wait, claim, now());
    else this.#active.set(session, { claim, deadline: deadlines.at(until, () => this.#endActive(session)) });
  }

  #endActive(session: string): void {
    const active = this.#active.get(session);
    if (!active) return;
    this.#active.delete(session);
    this.#options.deadlines.cancel(active.deadline);
    this.#options.claims.drop(active.claim);
  }
}
