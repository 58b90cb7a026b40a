/**
 * The frames of a Prewake session: newline-delimited JSON, both ways, at most {@link MAX_LINE_BYTES} a line.
 *
 * Rules for both ends: unknown fields are ignored; an unknown `type` is answered with an error frame and
 * nothing else; a malformed line ends the session. docs/protocol.md is the prose of this file.
 */

import type { Category } from './categories.ts';

/** Microseconds of CLOCK_MONOTONIC: exact to 1 ns for 52 days of uptime, to 4 ns for 208. */
export type Micros = number;

/** Nanoseconds. */
export type Nanos = number;

/** A step's own id: 64 random bits as 16 lower-case hexadecimal digits, never all zero. */
export type StepId = string;

/** A wait's id: an integer that the client counts up from 1 within its session. */
export type WaitId = number;

/** The longest line that either end accepts, newline included. */
export const MAX_LINE_BYTES = 4096;

/** What a step or a wait is about. `llm`, `tool` and `timer` have learned priors; any other word is a kind of its own. */
export type Kind = 'llm' | 'tool' | 'timer' | 'http' | (string & {});

/** Facts that may arrive during a wait and narrow its end. */
export type SignalName =
  | 'request_sent'
  | 'headers'
  | 'first_token'
  | 'token'
  | 'child_exit'
  | 'progress'
  | (string & {});

// ---- client → hostd ------------------------------------------------------------------------------------

/** A step has begun. */
export interface StepFrame {
  type: 'step';
  id: StepId;
  kind: Kind;
  /** Class key within the kind (`gpt-4o`, `Grep`); at most 200 characters. */
  key?: string;
  parent?: StepId;
  at: Micros;
  /** The thread (gettid) on which the step's code runs. Absent: the process's main thread. */
  thread?: number;
  /** Whether a {@link ReportFrame} is wanted at its end: false for a span that does not record. Default true. */
  report?: boolean;
  /**
   * Whether requests to the thread pool are told of while it is open, where they may be another's than its own: see
   * {@link PoolFrame}. Default false: whoever is open may then have caused what the pool does, and so may no step.
   */
  pool?: boolean;
}

export interface StepEndFrame {
  type: 'step_end';
  id: StepId;
  at: Micros;
}

/** The wakeup hint: this wait has begun; this is what is known of its end. */
export interface WaitFrame {
  type: 'wait';
  id: WaitId;
  step: StepId;
  kind: Kind;
  key?: string;
  at: Micros;
  thread?: number;
  /** A known end (a timer, Retry-After, a poll interval). */
  deadline?: Micros;
  /** Tokens in the request, where the model's client knows them. */
  inputTokens?: number;
  /** True where many wakeups are expected, one for each chunk of a stream. */
  stream?: boolean;
}

export interface SignalFrame {
  type: 'signal';
  wait: WaitId;
  signal: SignalName;
  at: Micros;
  /** A new known end that the signal brought (Retry-After). */
  deadline?: Micros;
}

/** The wait has ended: its wakeup has reached the step's code. */
export interface WaitEndFrame {
  type: 'wait_end';
  id: WaitId;
  at: Micros;
  /** True where the wait was given up (abort, error before the answer): the predictor does not learn from it. */
  cancelled?: boolean;
}

/**
 * Whose code ran on a thread: from each mark on, until the next. Sent only while steps overlap on the thread.
 * `marks` is flat and ascending: `[at, stepId, at, stepId, …]`; an empty string means no step's code.
 */
export interface RunFrame {
  type: 'run';
  thread: number;
  marks: (Micros | StepId)[];
}

/**
 * A request to the thread pool (fs, dns, crypto, zlib) is outstanding from `at` until its `pool_end`. Told of while
 * steps overlap on the thread, and from when one is outstanding that is not the innermost step's until none is.
 */
export interface PoolFrame {
  type: 'pool';
  id: number;
  /** Absent: it is of no step that is open. */
  step?: StepId;
  at: Micros;
}

export interface PoolEndFrame {
  type: 'pool_end';
  id: number;
  at: Micros;
}

/** Garbage-collector pauses on a thread, flat and ascending: `[at, durationMicros, …]`. */
export interface GcFrame {
  type: 'gc';
  thread: number;
  pauses: number[];
}

/** Asks for a `pong`: proves that all frames before it were read. */
export interface PingFrame {
  type: 'ping';
  id: number;
}

export type ClientFrame =
  | StepFrame
  | StepEndFrame
  | WaitFrame
  | SignalFrame
  | WaitEndFrame
  | RunFrame
  | PoolFrame
  | PoolEndFrame
  | GcFrame
  | PingFrame;

// ---- hostd → client ------------------------------------------------------------------------------------

/** The first frame of every session. */
export interface WelcomeFrame {
  type: 'welcome';
  session: string;
  /** hostd's package version. */
  version: string;
  /** `arm`: guards are armed. `observe`: hostd may not or shall not write. `paused`: by an administrator. */
  mode: 'arm' | 'observe' | 'paused';
  /** Where slowpath figures come from. */
  recorder: 'bpf' | 'schedstat' | 'none';
  at: Micros;
}

/** One of a step's largest slowpaths. */
export interface SlowpathEvent {
  category: Category;
  at: Micros;
  ns: Nanos;
  /** What woke or blocked: `hardirq 27 → kworker blk_mq_run_work_fn → waking → idle exit C3 → on CPU 1`. */
  detail?: string;
}

/** What a step paid. Answers `step_end`, unless the step was begun with `report: false`. */
export interface ReportFrame {
  type: 'report';
  step: StepId;
  /** False where records were lost, or the step began before the recorder was attached. */
  complete: boolean;
  /** Why it is not complete: `lost`, `open` (it ended in a slice that was not over yet), `recorder_late`, `recorder_off`, `too_many_steps`, `too_many_candidates`, `held`. */
  incomplete?: string;
  source: 'bpf' | 'schedstat' | 'none';
  /** Exclusive time for each known category: a known category in which nothing was paid is 0. */
  self: Partial<Record<Category, Nanos>>;
  /** Inclusive time of the containers (page_fault, vfs). */
  inclusive?: Partial<Record<Category, Nanos>>;
  /** Occurrences, by category or a finer name (`page_fault.major`). */
  counts?: Record<string, number>;
  /** Categories that this host or this step can't know. Never written as zero. */
  unknown: Category[];
  /** The part of `self` that other steps, or none, may have caused as well, and the largest number of steps that may have. */
  shared?: { ns: Nanos; candidates: number };
  /** Wakeups of the step's threads; how many found an armed CPU; how many predicted ones woke on an unarmed CPU. */
  wakeups: { total: number; covered: number; missed: number };
  /** On-CPU time of the step. */
  cpuNs?: Nanos;
  events: SlowpathEvent[];
}

/**
 * What became of a wait's windows, told once it has ended and along with another frame: one that came in mid-wait
 * would wake the agent. Not sent where nothing was armed or refused.
 */
export interface WindowFrame {
  type: 'window';
  wait: WaitId;
  /** `released`: guards were held for it. `refused`: a lease was refused or cut, and `retryMs`, from `at` on, says when to try again. */
  state: 'released' | 'refused';
  /** A word: `predicted`, `deadline`, `stream`, … for a plan; `budget`, `degraded`, `paused` for a refusal. */
  reason: string;
  at: Micros;
  retryMs?: number;
}

export interface BudgetFrame {
  type: 'budget';
  state: 'degraded' | 'recovered';
  /** `host`, `user:1000` or `cgroup:/path`. */
  bucket: string;
  at: Micros;
  retryMs?: number;
}

export interface ErrorFrame {
  type: 'error';
  /** Stable: `PREWAKE_…`. */
  code: string;
  message: string;
  /** True where hostd closes the session after this frame. */
  fatal: boolean;
}

export interface PongFrame {
  type: 'pong';
  id: number;
  at: Micros;
}

export type HostdFrame = WelcomeFrame | ReportFrame | WindowFrame | BudgetFrame | ErrorFrame | PongFrame;
