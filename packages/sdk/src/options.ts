import type { Attributes, Span, TracerProvider } from '@opentelemetry/api';
import type { Kind } from './protocol/index.ts';

/** How the SDK behaves in this process. */
export interface ConnectOptions {
  /** hostd's socket. Default: `PREWAKE_SOCKET`, then `/run/prewake/hostd.sock`, then `$XDG_RUNTIME_DIR/prewake/hostd.sock`. */
  socket?: string;
  /**
   * How long a finished span may wait for its figures, in milliseconds, 0 to 10,000. Default 250. Its end time is the
   * true one in any case. 0 (serverless, tests): spans end at once, and are incomplete where hostd had to be asked.
   */
  holdMs?: number;
  /** Child spans for a step's largest slowpaths: how many at most (default 3, 0 for none), and from how many ns (default 100,000). */
  slowpathSpans?: { max?: number; minNs?: number };
  /** Take signals from undici and `fetch` (default true) and from child processes (default true). */
  signals?: { undici?: boolean; children?: boolean };
  /**
   * Record the GenAI duration histograms with the global meter provider, where there is one. Default true; false where
   * another instrumentation of the same calls does it already. Steps that nobody follows (no hostd, unsampled) are not in them.
   */
  metrics?: boolean;
  /** Put messages and stacks of errors on spans. Default false: they may hold prompts or results. `error.type` always is. */
  recordExceptions?: boolean;
  /** Default: the global provider of @opentelemetry/api. Prewake never registers one. */
  tracerProvider?: TracerProvider;
}

export interface StepOptions {
  /**
   * `llm`, `tool`, `agent` and `retriever` give GenAI spans (`chat`, `execute_tool`, `invoke_agent`, `retrieval`); any
   * other word is your own. Default `step`.
   */
  kind?: Kind;
  /** The class within the kind: model, tool or agent. hostd predicts by it, and hears its first 200 characters. */
  key?: string;
  /** The span's name. Default: the GenAI one for the kind, else the key, else the kind. */
  name?: string;
  /** More attributes for the span. */
  attributes?: Attributes;
  /** `gen_ai.operation.name`, where it is not the kind's: `text_completion`, `generate_content`, … */
  operation?: string;
  /** `gen_ai.provider.name`: `openai`, `anthropic`, … */
  provider?: string;
  /** The step that this one is a part of. Default: the current one. `null`: none. */
  parent?: Step | null;
}

/** What is known of a wait's end. */
export interface WaitHint {
  /** Default: the step's. */
  kind?: Kind;
  key?: string;
  /** A known end, milliseconds from now: a timer, Retry-After, a poll interval. */
  afterMs?: number;
  /** Tokens in the request, where they are known. */
  inputTokens?: number;
  /** Many wakeups are to be expected, one for each chunk. */
  stream?: boolean;
  /**
   * The thread is about to block (execSync, Atomics.wait): announce at once and not at the end of the tick. The first
   * tool wait of a tick is announced at once anyway.
   */
  blocking?: boolean;
}

export interface SignalDetail {
  /** A new known end, milliseconds from now (Retry-After). */
  afterMs?: number;
}

/** A wait that was begun by hand. */
export interface Wait {
  /** A fact has arrived that narrows the wait's end. */
  signal(name: string, detail?: SignalDetail): void;
  /** The code runs again. `cancelled`: the wait was given up, and nothing shall be learned from it. Later calls do nothing. */
  end(outcome?: { cancelled?: boolean }): void;
}

/** One unit of an agent's work. */
export interface Step {
  /** 16 hexadecimal digits, or empty where nobody would ever see it. */
  readonly id: string;
  readonly kind: Kind;
  readonly key: string;
  /** The step that this one is a part of, as far as it was still open. */
  readonly parent: Step | undefined;
  /** The step's span; a non-recording one where there is no OpenTelemetry SDK. Prewake ends it. */
  readonly span: Span;
  /** Runs `fn` as a part of this step. Results and errors are `fn`'s own. */
  run<T>(fn: () => T): T;
  /**
   * Makes this step the current one for the rest of the synchronous code and what it starts, until the step ends: for
   * callback interfaces that cannot wrap a function. Call the returned function to restore what was current before.
   */
  enter(): () => void;
  /** Begins a wait. For a function or a promise, prefer `wait()`. */
  wait(hint?: WaitHint): Wait;
  /** Sends a signal to the step's latest open wait. */
  signal(name: string, detail?: SignalDetail): void;
  /** Ends the step, and its open waits. `error` marks the span as failed. Later calls do nothing. */
  end(outcome?: { error?: unknown }): void;
}
