import type { Micros, SignalFrame, WaitEndFrame, WaitFrame } from '@prewake/sdk/protocol';
import type { GuardController } from '../guards/guard.ts';
import type { Plan, PlannedWindow, PlanReason, Policy } from '../policy/index.ts';
import { ActiveWindows } from './active-windows.ts';
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
  /** That, or its thread's active window. */
  open: boolean;
  /** Armed within the wait, microseconds. */
  armedUs: number;
  waitUs: number;
  cancelled: boolean;
  /** The last refusal, where there was one; `retryMs` is from the wait's end. */
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
/** A window that could not be armed, or whose guards were lost, is tried again after this long, microseconds. */
const AGAIN_US = 1_000_000;

/** What has come to a window's opening: the hint itself, the time that was planned for it, or what kept it shut is over. */
type Occasion = 'hinted' | 'planned' | 'again';

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
  refused: { grant: Refusal; at: Micros } | undefined;
}

/**
 * Turns plans into held guards: a deadline for each window's start, a lease paid in chunks while it is open, the
 * active window after its wakeup. All that a client says passes the budget before it reaches a guard.
 */
export class Windows {
  readonly #options: WindowsOptions;
  readonly #waits = new Map<string, OpenWait>();
  readonly #active: ActiveWindows;
  onEvent: ((event: WindowEvent) => void) | undefined;

  constructor(options: WindowsOptions) {
    this.#options = options;
    const { activeWindowUs, claims, deadlines, now } = options;
    this.#active = new ActiveWindows(claims, deadlines, now, activeWindowUs);
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
    this.#toNextWindow(wait, 'hinted');
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
    // An open window goes on where the new plan still wants one now.
    const elapsed = this.#options.now() - wait.frame.at;
    const window = skipPast(wait, elapsed);
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
    const open = armed || this.#active.isOpen(claimant, wait.frame.thread);
    if (!frame.cancelled) this.#renewActive(wait, frame.at);
    this.#forget(wait, frame.at);
    // A pause says nothing of what the budget can pay.
    const cut = wait.refused !== undefined && wait.refused.grant.reason !== 'paused';
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
      reason: armed || !wait.refused ? wait.plan.reason : wait.refused.grant.reason,
      armed,
      open,
      armedUs: wait.armedUs,
      waitUs: frame.at - wait.frame.at,
      cancelled: frame.cancelled === true,
      ...(wait.refused && { refused: asOf(wait.refused, frame.at) }),
    };
  }

  /** Lets go of all that a session holds. Its open waits are not learned from: nobody knows how they ended. */
  sessionEnded(claimant: Claimant, openWaits: Iterable<number>): void {
    for (const id of openWaits) {
      const wait = this.#waits.get(`${claimant.id}/${id}`);
      if (wait) this.#forget(wait);
    }
    this.#active.endOf(claimant.id);
    this.#options.guards.releaseOwner(claimant.id);
    this.#options.policy.sessionEnded(claimant.id, this.#options.now());
  }

  /** An administrator's pause wins over every lease. */
  pause(): void {
    this.#options.claims.paused = true;
    for (const wait of this.#waits.values()) this.#release(wait);
    this.#active.endAll();
    this.#options.guards.releaseAll();
  }

  resume(): void {
    this.#options.claims.paused = false;
    this.lookAgain();
  }

  /** What was refused may be granted now: every wait that holds nothing is tried again. */
  lookAgain(): void {
    const now = this.#options.now();
    for (const wait of this.#waits.values()) {
      if (wait.claim) continue;
      this.#options.deadlines.cancel(wait.deadline);
      skipPast(wait, now - wait.frame.at);
      this.#toNextWindow(wait, 'again');
    }
  }

  /**
   * All guards have been let go of, at the latest by then. Nothing is armed in this turn: this is told in the midst of
   * arming, and of restoring.
   */
  voided(by: Micros): void {
    const { deadlines, now } = this.#options;
    this.#active.endAll(by);
    for (const wait of this.#waits.values()) {
      if (!wait.claim) continue;
      this.#release(wait, undefined, by);
      wait.deadline = deadlines.at(now(), () => this.#later(wait, now() + AGAIN_US));
    }
  }

  #toNextWindow(wait: OpenWait, occasion: Occasion = 'again'): void {
    const window = wait.plan.windows[wait.next];
    if (!window || !this.#options.claims.useful) return;
    const due = wait.frame.at + window.arm;
    const now = this.#options.now();
    if (due <= now) {
      this.#open(wait, window, occasion);
      return;
    }
    wait.deadline = this.#options.deadlines.at(due, () => this.#open(wait, window, 'planned'));
    const { claimant, frame, name } = wait;
    const cpus = () => this.#options.claims.cpusOf(claimant, frame.thread);
    this.onEvent?.({ type: 'planned', session: claimant.id, wait: name, at: now, cpus });
  }

  /** Tries the window that is due once more, or goes on to the next where it is over by then. */
  #later(wait: OpenWait, at: Micros): void {
    const window = wait.plan.windows[wait.next];
    if (!window) return;
    if (at < wait.frame.at + window.disarm)
      wait.deadline = this.#options.deadlines.at(at, () => this.#open(wait, window, 'again'));
    else {
      wait.next++;
      this.#toNextWindow(wait);
    }
  }

  #open(wait: OpenWait, window: PlannedWindow, occasion: Occasion): void {
    const { claims, now } = this.#options;
    const asked = now();
    const end = wait.frame.at + window.disarm;
    if (end <= asked) {
      wait.next++;
      this.#toNextWindow(wait);
      return;
    }
    const { claimant, frame, plan } = wait;
    wait.chunkUs = FIRST_CHUNK_US;
    const lengthUs = Math.min(wait.chunkUs, end - asked);
    const state = occasion === 'hinted' ? 'hinted' : 'asleep';
    const claim = claims.open(claimant, frame.thread, `${plan.reason} ${wait.name}`, lengthUs, state);
    const at = now();
    if (!claim) this.#later(wait, at + AGAIN_US);
    else if ('granted' in claim) this.#refused(wait, claim, at);
    else {
      wait.claim = claim;
      this.onEvent?.({
        type: 'armed',
        session: claimant.id,
        wait: wait.name,
        reason: plan.reason,
        at,
        lateUs: at - Math.max(frame.at, frame.at + window.arm),
        planned: occasion === 'planned',
        cpus: claim.hold.cpus,
      });
      this.#toEndOfChunk(wait, window);
    }
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
    this.#release(wait);
    if (refusal === 'lost') this.#later(wait, now + AGAIN_US);
    else this.#refused(wait, refusal, now);
  }

  /** A refusal or a cut is tried again when there may be enough; the end of a pause is told by {@link lookAgain}. */
  #refused(wait: OpenWait, grant: Refusal, at: Micros): void {
    wait.refused = { grant, at };
    this.#tellRefused(wait, grant, at);
    const retryUs = grant.reason === 'paused' ? Number.POSITIVE_INFINITY : Math.max(1, grant.retryMs) * 1000;
    this.#later(wait, at + retryUs);
  }

  #tellRefused({ claimant, name }: OpenWait, grant: Refusal, at: Micros): void {
    this.onEvent?.({ type: 'refused', session: claimant.id, wait: name, at, grant });
  }

  /**
   * @param ended when the wait ended, where it did: what is held after that is not time waited
   * @param by when its guards had been let go at the latest, where somebody else did that
   */
  #release(wait: OpenWait, ended = Number.POSITIVE_INFINITY, by?: Micros): void {
    this.#options.deadlines.cancel(wait.deadline);
    wait.deadline = undefined;
    const claim = wait.claim;
    if (!claim) return;
    wait.claim = undefined;
    const at = this.#options.claims.drop(claim, by);
    wait.armedUs += Math.max(0, Math.min(at, ended) - claim.since);
    const armedUs = at - claim.since;
    this.onEvent?.({ type: 'released', session: wait.claimant.id, wait: wait.name, at, armedUs });
  }

  #forget(wait: OpenWait, ended?: Micros): void {
    this.#release(wait, ended);
    this.#waits.delete(wait.name);
  }

  /** Waits that are left alone on purpose have no active window after them. */
  #renewActive(wait: OpenWait, woken: Micros): void {
    const { claims, now } = this.#options;
    const { reason } = wait.plan;
    if (!claims.useful || reason === 'no_benefit' || reason === 'holdout') return;
    const refusal = this.#active.renew(wait.claimant, wait.frame.thread, woken);
    // What became of the wait itself is another matter.
    if (refusal) this.#tellRefused(wait, refusal, now());
  }
}

/** The first window that is not over yet becomes the next. */
function skipPast(wait: OpenWait, elapsed: Micros): PlannedWindow | undefined {
  const { windows } = wait.plan;
  const next = windows.findIndex(({ disarm }) => disarm > elapsed);
  wait.next = next < 0 ? windows.length : next;
  return windows[wait.next];
}

/** A refusal, with the time until it may be tried again from a later time. */
const asOf = ({ grant, at }: { grant: Refusal; at: Micros }, later: Micros): Refusal => ({
  ...grant,
  retryMs: Math.max(0, Math.ceil(grant.retryMs - (later - at) / 1000)),
});
