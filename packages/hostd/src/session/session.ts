import type { Socket } from 'node:net';
import {
  type ClientFrame,
  encode,
  type HostdFrame,
  LineSplitter,
  type Micros,
  ProtocolError,
  parseClientFrame,
  type StepFrame,
  type StepId,
  type WaitFrame,
  type WireErrorCode,
} from '@prewake/sdk/protocol';
import type { Peer } from '../kernel/peer.ts';
import { resolveThread, startTimeOf } from '../kernel/threads.ts';
import type { Payer } from '../policy/index.ts';
import type { Claimant } from './claims.ts';
import { READ_BYTES } from './direct-socket.ts';

/** How long a closed session's peer may take to read why. */
const GOODBYE_MS = 1000;

/** Threads that are looked for in vain before nothing is looked for any more: each look costs a walk through /proc. */
const MAX_UNKNOWN_THREADS = 256;

/** Frames that wait for another to go along with; then they go by themselves. */
const MAX_ALONG = 16;

/** Limits of one session. */
export interface SessionLimits {
  /** Accepted: predicted and armed for. Attribution follows fewer of them (slowpath/options.ts). */
  openSteps: number;
  openWaits: number;
  openPoolRequests: number;
  /** Bytes that wait to be read by the peer, before the session is closed. */
  backlogBytes: number;
  /** Bad frames answered, before the session is closed. */
  errors: number;
}

export const defaultSessionLimits: SessionLimits = {
  openSteps: 10_000,
  openWaits: 4096,
  openPoolRequests: 4096,
  backlogBytes: 1024 * 1024,
  errors: 100,
};

/** Makes a session's connection, which hands on what it reads: see direct-socket.ts. */
export type SessionConnect = (data: (chunk: Buffer) => boolean) => Socket;

const stepFields: Record<keyof StepFrame, true> = {
  ...{ type: true, id: true, kind: true, key: true, parent: true, at: true },
  ...{ thread: true, report: true, pool: true },
};
const waitFields: Record<keyof WaitFrame, true> = {
  ...{ type: true, id: true, step: true, kind: true, key: true, at: true, thread: true },
  ...{ deadline: true, inputTokens: true, stream: true },
};
const STEP_FIELDS: ReadonlySet<string> = new Set(Object.keys(stepFields));
const WAIT_FIELDS: ReadonlySet<string> = new Set(Object.keys(waitFields));

/** What the daemon does with the frames of a session. Each has been checked: ids are open, times not ahead of now. */
export interface FrameHandler {
  frame(session: Session, frame: ClientFrame): void;
  /** The connection is gone: whatever the session held is to be let go. Called once. */
  ended(session: Session): void;
}

/** One connected agent process. It dies with its connection. */
export class Session implements Claimant {
  readonly id: string;
  readonly peer: Peer;
  readonly payer: Payer;
  readonly startedAt: Micros;
  readonly client: string;
  readonly openSteps = new Map<StepId, StepFrame>();
  readonly openWaits = new Map<number, WaitFrame>();
  readonly counters = { frames: 0, steps: 0, waits: 0, errors: 0 };
  readonly #pool = new Map<number, Micros>();
  /** Of what is being read. */
  readonly #opened: (StepFrame | WaitFrame)[] = [];
  readonly #threads = new Map<number, { tgid: number; tid: number; startTime: string } | undefined>();
  readonly #stream: Socket;
  readonly #splitter = new LineSplitter();
  readonly #handler: FrameHandler;
  readonly #limits: SessionLimits;
  readonly #now: () => Micros;
  /** Lines for the next write, and lines that wait for one: so many. */
  #held = '';
  #along = '';
  #alongLines = 0;
  #unknownThreads = 0;
  #closed = false;

  constructor(options: {
    id: string;
    peer: Peer;
    cgroup: string;
    client: string;
    connect: SessionConnect;
    handler: FrameHandler;
    limits: SessionLimits;
    now: () => Micros;
  }) {
    this.id = options.id;
    this.peer = options.peer;
    // Not `user` first, as what process.cpuUsage() returns: V8 takes both for one shape, and a whole number in it for
    // outdated from then on (bench `decide`).
    this.payer = { cgroup: options.cgroup, user: options.peer.uid };
    this.client = options.client;
    this.startedAt = options.now();
    this.#stream = options.connect((chunk) => this.#read(chunk));
    this.#handler = options.handler;
    this.#limits = options.limits;
    this.#now = options.now;
    this.#stream.on('end', () => this.#gone());
    this.#stream.on('close', () => this.#gone());
    // A reset is how many peers leave.
    this.#stream.on('error', () => this.#gone());
  }

  /** The names of the buckets that pay for it, but for the host's. */
  get buckets(): string[] {
    return [`user:${this.payer.user}`, `cgroup:${this.payer.cgroup}`];
  }

  /** Sends at once: only where the agent is awake and asks, for a frame that comes in mid-wait would wake it. */
  send(frame: HostdFrame): void {
    if (this.#closed) return;
    this.#held += encode(frame);
    this.flush();
  }

  /** Sends with the next frame that the agent sends, when it is awake anyway, or at the next {@link flush}. */
  sendWhenAwake(frame: HostdFrame): void {
    if (!this.#closed) this.#held += encode(frame);
  }

  /** Sends along with another frame: of use to a client, and not worth a write of its own. */
  sendAlong(frame: HostdFrame): void {
    if (this.#closed) return;
    this.#along += encode(frame);
    if (++this.#alongLines < MAX_ALONG) return;
    this.#takeAlong();
    this.flush();
  }

  flush(): void {
    if (this.#held === '' || this.#closed) return;
    this.#takeAlong();
    const lines = this.#held;
    this.#held = '';
    this.#stream.write(lines);
    if (this.#stream.writableLength > this.#limits.backlogBytes) this.#stream.destroy();
  }

  #takeAlong(): void {
    this.#held = this.#along + this.#held;
    this.#along = '';
    this.#alongLines = 0;
  }

  /** Tells why, and closes. */
  close(code: WireErrorCode, message: string): void {
    this.send({ type: 'error', code, message, fatal: true });
    if (this.#closed) return;
    this.#ended();
    this.#stream.destroySoon();
    // A peer that does not read its goodbye can't keep the connection.
    setTimeout(() => this.#stream.destroy(), GOODBYE_MS).unref();
  }

  #gone(): void {
    this.#ended();
    this.#stream.destroy();
  }

  /** The task behind a frame's `thread`: in the host's pid namespace, and this process's own; else its main thread. */
  task(thread: number | undefined): { tgid: number; tid: number; startTime: string } {
    const main = { tgid: this.peer.pid, tid: this.peer.pid, startTime: this.peer.startTime };
    if (thread === undefined) return main;
    if (!this.#threads.has(thread)) {
      // Forged ones must not grow the map.
      if (this.#threads.size > 1024) this.#threads.clear();
      // The connection may have been passed on: what has the pid now may be another process.
      const same = startTimeOf(this.peer.pid) === this.peer.startTime;
      const look = same && this.#unknownThreads < MAX_UNKNOWN_THREADS;
      const tid = look ? resolveThread(this.peer.pid, thread) : undefined;
      if (tid === undefined) this.#unknownThreads++;
      const startTime = tid === undefined ? undefined : startTimeOf(this.peer.pid, tid);
      this.#threads.set(
        thread,
        tid === undefined || startTime === undefined ? undefined : { tgid: this.peer.pid, tid, startTime },
      );
    }
    return this.#threads.get(thread) ?? main;
  }

  #read(chunk: Buffer): boolean {
    if (this.#closed) return true;
    // Nothing in it was written later.
    const now = this.#now();
    const error = this.#splitter.push(chunk, (line) => {
      const frame = parseClientFrame(line, now);
      this.counters.frames++;
      const flaw = frame instanceof ProtocolError ? frame : this.#accept(frame, now);
      if (flaw) this.#refuse(flaw);
      return !this.#closed;
    });
    if (error) this.#refuse(error);
    // Not before: a hint among them has a deadline.
    for (const frame of this.#opened) keepOnly(frame.type === 'step' ? STEP_FIELDS : WAIT_FIELDS, frame);
    this.#opened.length = 0;
    this.flush();
    if (chunk.length < READ_BYTES || this.#closed) return true;
    // libuv would read on up to 32 times before it looks at any other connection.
    setImmediate(() => this.#stream.resume());
    return false;
  }

  /** Checks a frame against what is open, notes it, and hands it on. */
  #accept(frame: ClientFrame, now: Micros): ProtocolError | undefined {
    // A clock that is ahead of ours by less than what the parser refuses: nothing begins in the future.
    if ('at' in frame && frame.at > now) frame.at = now;
    const flaw = this.#note(frame);
    if (!flaw) this.#handler.frame(this, frame);
    if (frame.type === 'step_end') this.openSteps.delete(frame.id);
    else if (frame.type === 'wait_end') this.openWaits.delete(frame.id);
    return flaw;
  }

  #note(frame: ClientFrame): ProtocolError | undefined {
    switch (frame.type) {
      case 'step': {
        if (this.openSteps.has(frame.id)) return flawed('PREWAKE_DUPLICATE_ID', `step ${frame.id} is open`);
        if (this.openSteps.size >= this.#limits.openSteps) return tooMany('steps', this.#limits.openSteps);
        this.openSteps.set(frame.id, frame);
        this.#opened.push(frame);
        this.counters.steps++;
        return undefined;
      }
      case 'step_end':
        return order('step', this.openSteps.get(frame.id)?.at, frame.id, frame.at);
      case 'wait': {
        const step = this.openSteps.get(frame.step);
        if (!step) return unknownStep(frame.step);
        if (this.openWaits.has(frame.id)) return flawed('PREWAKE_DUPLICATE_ID', `wait ${frame.id} is open`);
        if (this.openWaits.size >= this.#limits.openWaits) return tooMany('waits', this.#limits.openWaits);
        this.#opened.push(frame);
        frame.step = step.id; // One string for all waits of a step.
        this.openWaits.set(frame.id, frame);
        this.counters.waits++;
        return undefined;
      }
      case 'signal':
        return order('wait', this.openWaits.get(frame.wait)?.at, frame.wait, frame.at);
      case 'wait_end':
        return order('wait', this.openWaits.get(frame.id)?.at, frame.id, frame.at);
      case 'pool': {
        if (frame.step !== undefined && !this.openSteps.has(frame.step)) return unknownStep(frame.step);
        if (this.#pool.has(frame.id))
          return flawed('PREWAKE_DUPLICATE_ID', `pool request ${frame.id} is open`);
        if (this.#pool.size >= this.#limits.openPoolRequests)
          return tooMany('pool requests', this.#limits.openPoolRequests);
        this.#pool.set(frame.id, frame.at);
        return undefined;
      }
      case 'pool_end':
        // Its step may have been dropped for the limit: an unknown one is no error, it only means nothing.
        this.#pool.delete(frame.id);
        return undefined;
      default:
        return undefined;
    }
  }

  #refuse(flaw: ProtocolError): void {
    this.counters.errors++;
    if (flaw.fatal) this.close(flaw.code as WireErrorCode, flaw.message);
    else if (this.counters.errors > this.#limits.errors)
      this.close('PREWAKE_TOO_MANY_ERRORS', `more than ${this.#limits.errors} bad frames`);
    else this.#held += encode(flaw.toJSON());
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler.ended(this);
  }
}

/** Drops the fields of a frame that mean nothing: it is held for as long as it is open, and they may be of any size. */
function keepOnly(fields: ReadonlySet<string>, frame: object): void {
  for (const name in frame) if (!fields.has(name)) Reflect.deleteProperty(frame, name);
}

const flawed = (code: WireErrorCode, message: string) => new ProtocolError(code, message);
const unknownStep = (step: StepId) => flawed('PREWAKE_UNKNOWN_STEP', `no step ${step} is open`);
const tooMany = (what: string, limit: number) =>
  flawed('PREWAKE_TOO_MANY_OPEN', `more than ${limit} open ${what}`);

function order(what: 'step' | 'wait', began: Micros | undefined, id: StepId | number, at: Micros) {
  if (began === undefined)
    return flawed(
      what === 'step' ? 'PREWAKE_UNKNOWN_STEP' : 'PREWAKE_UNKNOWN_WAIT',
      `no ${what} ${id} is open`,
    );
  if (at < began) return flawed('PREWAKE_OUT_OF_ORDER', `${what} ${id}: ${at} lies before its beginning`);
  return undefined;
}
