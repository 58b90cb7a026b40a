import type { Micros } from '@prewake/sdk/protocol';
import type { PolicyConfig } from './config.ts';
import type {
  Plan,
  PlannedWindow,
  PlanReason,
  SignalFact,
  WaitEndFact,
  WaitFact,
  WakeupCost,
} from './facts.ts';
import { deadlineWindow } from './plan/deadline.ts';
import { Stream } from './plan/stream.ts';
import { armedWithin, isCovered, shiftWindows } from './plan/windows.ts';
import type { Policy } from './policy.ts';
import type { Prediction } from './predict/predictor.ts';
import { Recents } from './recents.ts';
import { readState, stateText } from './state.ts';
import { type ClassSummary, summarize } from './summary.ts';
import { UserPolicy } from './user-policy.ts';

export interface PolicyOptions {
  /** Uniform in [0, 1): injected, so that a replay decides alike. */
  random: () => number;
  /** Whether it will be told what wakeups cost: then it remembers for a while whose a wait was. Default true. */
  costs?: boolean;
}

/** A policy that learns, and whose learning outlives the process. */
export interface LearningPolicy extends Policy {
  /**
   * What was learned, as JSON (see state.ts): versioned, without sessions and open waits. A user at a time: pieces
   * may be asked for between other work.
   */
  stateText(): Iterable<string>;
  /**
   * Takes up what was saved, in place of all that is known.
   * @throws PrewakeError PREWAKE_STATE_CORRUPT, PREWAKE_STATE_VERSION: nothing was changed
   */
  loadState(state: unknown): void;
  /** What is known of one user's classes. */
  classes(user: number): ClassSummary[];
  /** Open waits that are remembered. */
  readonly openWaits: number;
}

/** A part of a wait that a signal began: it is learned as a class of its own. */
interface Phase {
  prediction: Prediction;
  /** From the wait's start. */
  from: Micros;
}

interface OpenWait {
  readonly session: string;
  readonly user: UserPolicy;
  readonly cgroup: string;
  readonly at: Micros;
  readonly kind: string;
  readonly key: string;
  readonly prediction: Prediction;
  /** Why nothing is to be armed, where that was decided at its start. */
  readonly gate: 'holdout' | 'no_benefit' | undefined;
  /** Log of what a wakeup of its class gains against the mean. */
  readonly logWorth: number;
  streams: boolean;
  /** Also of what is held out: it is compared with what the same plan was armed for. */
  windows: readonly PlannedWindow[];
  /** Armed by earlier plans of this wait, and not yet accounted for. */
  armedUs: Micros;
  /** Accounted for. */
  settledUs: Micros;
  /** Of all that, what the budget refused. */
  refusedUs: Micros;
  /** By signal; made when the first comes, as most waits have none. */
  phases: Map<string, Phase> | undefined;
  stream: Stream | undefined;
}

/** A wait that ended in a window, of which what its wakeup cost is still to come in. */
interface EndedWait {
  readonly user: UserPolicy;
  readonly classId: number;
  /** Otherwise it was left unarmed at random. */
  readonly armed: boolean;
}

/** Signals of one wait that are learned from. */
const MAX_PHASES = 4;
/** Waits of a phase to learn before it overrules the plan that there is. */
const PHASE_EVIDENCE = 5;
/** What a child's exit is followed by at once, before it is known better. */
const EXIT_WINDOW_US = 20_000;
/** Ended waits whose measured cost may still come in. */
const MAX_ENDED = 10_000;

/** Predicts, prices and plans. See docs/prediction.md. */
export function createPolicy(config: PolicyConfig, options: PolicyOptions): LearningPolicy {
  return new LearnedPolicy(config, options);
}

class LearnedPolicy implements LearningPolicy {
  #config: PolicyConfig;
  #random: () => number;
  #costs: boolean;
  #users: Recents<number, UserPolicy>;
  #open: Recents<string, OpenWait>;
  #ended = new Recents<string, EndedWait>(MAX_ENDED);

  constructor(config: PolicyConfig, { random, costs = true }: PolicyOptions) {
    this.#config = config;
    this.#random = random;
    this.#costs = costs;
    this.#users = new Recents(config.maxUsers);
    this.#open = new Recents(config.maxOpenWaits);
  }

  get openWaits(): number {
    return this.#open.size;
  }

  waitStarted(fact: WaitFact): Plan {
    const { wait, session, payer, kind, key, at } = fact;
    const user = this.#user(payer.user);
    const streams = fact.stream === true;
    const prediction = user.predictor.start(session, kind, streams ? `${key}\0first` : key, fact.inputTokens);
    const extras = user.extras.peek(prediction.cls.id);
    const gate = user.gate(extras, this.#random());
    const open: OpenWait = {
      session,
      user,
      cgroup: payer.cgroup,
      at,
      kind,
      key,
      prediction,
      gate: gate === 'retry' ? undefined : gate,
      logWorth: extras?.logWorth ?? 0,
      streams,
      windows: [],
      armedUs: 0,
      settledUs: 0,
      refusedUs: 0,
      phases: undefined,
      stream: undefined,
    };
    const forgotten = this.#open.set(wait, open);
    if (forgotten) settle(forgotten, at - forgotten.at);
    if (open.gate === 'no_benefit') return { wait, windows: [], reason: open.gate };
    const deadline = deadlineWindow(at, fact.deadline, this.#config.leadUs);
    open.windows = user.afford(deadline ? [deadline] : user.plan(prediction, payer.cgroup, open.logWorth));
    if (open.gate) return { wait, windows: [], reason: open.gate };
    if (open.windows.length === 0) return { wait, windows: [], reason: 'dispersed' };
    return { wait, windows: open.windows, reason: gate ?? (deadline ? 'deadline' : 'predicted') };
  }

  signal({ wait, signal, at, deadline }: SignalFact): Plan | undefined {
    const open = this.#open.peek(wait);
    const elapsed = open ? at - open.at : Number.NaN;
    if (!open || !isLength(elapsed)) return undefined;
    const known = deadlineWindow(open.at, deadline, this.#config.leadUs);
    if (known) return this.#replan(wait, open, elapsed, [known], 'deadline');
    if (signal === 'first_token' || signal === 'token') return this.#token(wait, open, elapsed);
    const phase = this.#enter(open, signal, elapsed);
    if (!phase) return undefined;
    if (phase.prediction.cls.histogram.events < PHASE_EVIDENCE) {
      if (signal !== 'child_exit') return undefined;
      const imminent = { arm: elapsed, disarm: elapsed + EXIT_WINDOW_US };
      return this.#replan(wait, open, elapsed, [imminent], 'predicted');
    }
    const windows = shiftWindows(
      open.user.plan(phase.prediction, open.cgroup, open.logWorth),
      elapsed,
      elapsed,
    );
    return this.#replan(wait, open, elapsed, windows, windows.length > 0 ? 'predicted' : 'dispersed');
  }

  waitEnded({ wait, at, cancelled, armed = true, heldUs }: WaitEndFact): void {
    const open = this.#open.peek(wait);
    if (!open) return;
    this.#open.delete(wait);
    const us = at - open.at;
    if (!isLength(us)) return;
    if (this.#costs) this.#compare(wait, open, us, armed);
    if (heldUs !== undefined) open.refusedUs = Math.max(0, plannedWithin(open, us) - heldUs);
    open.user.refused(open.cgroup, us, open.refusedUs);
    // What was given up says nothing of how long such waits last.
    if (cancelled) {
      settle(open, us);
      return;
    }
    if (open.stream) this.#endStream(open, open.stream, us);
    else this.#account(open, us, us, open.user.learn(open.prediction, us));
    open.user.predictor.note(open.prediction, us);
    for (const { prediction, from } of open.phases?.values() ?? []) {
      if (us >= from) open.user.learn(prediction, us - from);
    }
  }

  sessionEnded(session: string, at: Micros): void {
    for (const [wait, open] of this.#open.entries()) {
      if (open.session !== session) continue;
      this.#open.delete(wait);
      settle(open, at - open.at);
    }
    for (const user of this.#users.values()) user.predictor.endSession(session);
  }

  wakeupCost({ wait, ns, cpu }: WakeupCost): void {
    const ended = this.#ended.peek(wait);
    if (!ended) return;
    const extras = ended.user.extrasOf(ended.classId);
    extras.benefit.add(ns, ended.armed, cpu);
    ended.user.weigh(extras);
  }

  stateText(): Iterable<string> {
    return stateText([...this.#users.entries()]);
  }

  loadState(state: unknown): void {
    const users = readState(state, () => new UserPolicy(this.#config));
    this.#users = new Recents(this.#config.maxUsers);
    this.#open = new Recents(this.#config.maxOpenWaits);
    this.#ended = new Recents(MAX_ENDED);
    for (const [uid, user] of users) this.#users.set(uid, user);
  }

  classes(user: number): ClassSummary[] {
    const known = this.#users.peek(user);
    return known ? summarize(known, this.#config) : [];
  }

  #user(uid: number): UserPolicy {
    const known = this.#users.use(uid);
    if (known) return known;
    const user = new UserPolicy(this.#config);
    this.#users.set(uid, user);
    return user;
  }

  /**
   * What the wakeup of a planned window costs is worth knowing, whether the window was armed or held out. Where it
   * was to be armed and could not be, nothing is learned of arming.
   */
  #compare(wait: string, open: OpenWait, us: Micros, armed: boolean): void {
    const heldOut = open.gate === 'holdout';
    if ((!armed && !heldOut) || !isCovered(open.windows, us, this.#config.leadUs)) return;
    this.#ended.set(wait, { user: open.user, classId: open.prediction.cls.id, armed: !heldOut });
  }

  #replan(
    wait: string,
    open: OpenWait,
    elapsed: Micros,
    windows: PlannedWindow[],
    reason: PlanReason,
  ): Plan | undefined {
    if (open.gate === 'no_benefit') return undefined;
    open.armedUs += armedWithin(open.windows, elapsed);
    open.windows = open.user.afford(shiftWindows(windows, 0, elapsed), open.armedUs);
    if (open.gate) return undefined;
    return { wait, windows: open.windows, reason: open.windows.length > 0 ? reason : 'dispersed' };
  }

  /** Signals begin a phase each time they come; the last of each name is learned from. */
  #enter(open: OpenWait, signal: string, elapsed: Micros): Phase | undefined {
    open.phases ??= new Map();
    if (!open.phases.has(signal) && open.phases.size >= MAX_PHASES) return undefined;
    const key = `${open.key}\0${signal}`;
    const prediction = open.user.predictor.start(open.session, open.kind, key, undefined);
    const phase = { prediction, from: elapsed };
    open.phases.set(signal, phase);
    return phase;
  }

  #token(wait: string, open: OpenWait, elapsed: Micros): Plan | undefined {
    open.stream ??= this.#firstToken(open, elapsed);
    const window = open.stream.token(elapsed);
    if (!window) return undefined;
    // Tokens must come often enough for what an armed microsecond costs now.
    const worth = open.stream.logHazard + open.logWorth > open.user.logPrice(open.cgroup);
    return this.#replan(wait, open, elapsed, worth ? [window] : [], 'stream');
  }

  /** The wait for the first token is over: it is accounted for, and learned where the wait was announced as a stream. */
  #firstToken(open: OpenWait, elapsed: Micros): Stream {
    const { user, prediction } = open;
    let times = 1;
    if (open.streams) times = user.learn(prediction, elapsed);
    else user.predictor.predict(prediction, user.hazards);
    this.#account(open, elapsed, elapsed, times);
    return new Stream(elapsed, user.extras.peek(prediction.cls.id)?.cadence);
  }

  /** Tells the price what became of the last `us` of a wait; its hazards stand for so many `times` such waits. */
  #account(open: OpenWait, us: Micros, elapsed: Micros, times: number): void {
    const { price, hazards } = open.user;
    price.observe(hazards, us, takeArmed(open, elapsed), times, open.logWorth);
  }

  #endStream(open: OpenWait, stream: Stream, us: Micros): void {
    const { user, prediction } = open;
    if (!open.streams) user.learn(prediction, us);
    user.price.observeEven(
      stream.logHazard + open.logWorth,
      Math.max(0, us - stream.firstAt),
      takeArmed(open, us),
    );
    if (stream.cadence.gaps > 0)
      user.extrasOf(prediction.cls.id).cadence.add(Math.exp(stream.cadence.logGap));
  }
}

/** Whether a wait can have lasted so long. */
function isLength(us: Micros): boolean {
  return us >= 0 && us < Number.POSITIVE_INFINITY;
}

/** A wait is over without having told how long such waits last: what it was armed for is spent all the same. */
function settle(open: OpenWait, us: Micros): void {
  if (isLength(us)) open.user.price.settle(us - (open.stream?.firstAt ?? 0), takeArmed(open, us));
}

/** What the plans would arm of a wait's first `us`. */
function plannedWithin(open: OpenWait, us: Micros): Micros {
  return open.gate ? 0 : open.settledUs + open.armedUs + armedWithin(open.windows, us);
}

/** What was armed until `elapsed` and since the last account, as far as it is known not to have been refused. */
function takeArmed(open: OpenWait, elapsed: Micros): Micros {
  const armed = plannedWithin(open, elapsed) - open.settledUs;
  open.settledUs += armed;
  open.armedUs = 0;
  open.windows = shiftWindows(open.windows, 0, elapsed);
  return Math.max(0, armed - open.refusedUs);
}
