import { readSync, writeSync } from 'node:fs';
import { openKernel } from '../kernel/kernel.ts';
import { LatencyRequest, NO_CONSTRAINT } from '../kernel/latency-qos.ts';
import { errorCode, libc } from '../kernel/libc.ts';
import { pollForReading } from '../kernel/poll.ts';
import type { SyscallTap } from '../kernel/writer.ts';
import { buildGuards } from './build-guards.ts';
import { loadJournal, restoreBehind } from './journal.ts';
import { withJournalLock } from './lock.ts';
import { restoreAll } from './replay.ts';
import type { RestoreEntry } from './restore.ts';
import { STALL_MS } from './watch.ts';

export interface GuardianOptions {
  root: string;
  runtimeDir: string;
  /** The hostd whose journal it is, as in the journal's header. A later hostd's is none of our business. */
  owner: { pid: number; startTime: string };
  /** The pipe from hostd: `a` = armed and well, `i` = idle; its end = hostd is dead. */
  pipe: number;
  /** hostd's latency request, inherited: the kernel keeps it while anyone has it open. -1: none. */
  latencyFd: number;
  /** Where `ready` is written once it watches; -1: nowhere. */
  ready: number;
  /** Where a line is written for what it had to restore: hostd's own log. */
  log: number;
  tap?: SyscallTap | undefined;
}

const RETRY_MS = 1000;
/** The next hostd, or `prewake restore`, still has the journal. */
const MAX_FAILURES = 30;
/** `a`. */
const ARMED = 0x61;

/**
 * The guardian's whole life, without an event loop: it blocks in poll(2), for ever while nothing is armed and
 * for {@link STALL_MS} while something is. It returns when hostd is dead and everything is put back.
 */
export function runGuardian(options: GuardianOptions): void {
  const { pipe } = options;
  ignoreSignals();
  const kernel = openKernel(options.root, { tap: options.tap });
  const request = options.latencyFd < 0 ? undefined : new LatencyRequest(options.latencyFd, kernel.writer);
  const guards = buildGuards(kernel, { request });
  const log = (text: string) => say(options.log, `prewake guardian: ${text}`);

  let said = '';
  /** How many controls are left that may still be put back: an offline CPU's come back with it. */
  const restore = (why: string): number =>
    withJournalLock(options.runtimeDir, () => {
      request?.set(NO_CONSTRAINT);
      const { owner, claims } = loadJournal(options.runtimeDir);
      if (owner?.pid !== options.owner.pid || owner.startTime !== options.owner.startTime) return 0;
      const { entries } = restoreAll(guards, [...claims.values()]);
      const changed = entries.filter(({ outcome }) => outcome !== 'already');
      const news = `${why}: ${changed.map(describe).join(', ')}`;
      if (changed.length > 0 && news !== said) log(news);
      said = news;
      return entries.filter((entry) => entry.outcome === 'pending').length;
    });

  say(options.ready, 'ready');
  let complaint = '';
  const attempt = <T>(run: () => T): T | undefined => {
    try {
      return run();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== complaint) log(message);
      complaint = message;
      return undefined;
    }
  };

  let armed = false;
  const buffer = Buffer.alloc(256);
  for (;;) {
    if (pollForReading(pipe, armed ? STALL_MS : -1) <= 0) {
      // Again and again until it is heard: it may wake just to finish one more write.
      if (armed) attempt(() => restoreBehind(options.runtimeDir, () => restore('hostd does not answer')));
      continue;
    }
    const length = readSync(pipe, buffer, 0, buffer.length, null);
    if (length === 0) break;
    armed = buffer[length - 1] === ARMED;
  }
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let failures = 0;
  for (;;) {
    const left = attempt(() => restore('hostd is gone'));
    if (left === 0 || (left === undefined && ++failures > MAX_FAILURES)) break;
    Atomics.wait(pause, 0, 0, RETRY_MS);
  }
  kernel.close();
}

/** A service manager's SIGTERM and a terminal's SIGINT go to hostd as well: the guardian outlives it. */
function ignoreSignals(): void {
  const SIG_IGN = 1;
  for (const signal of [1, 2, 15]) libc().signal(signal, SIG_IGN);
}

function describe({ guard, target, outcome, original, found }: RestoreEntry): string {
  return `${guard} ${target} ${outcome} (${found ?? 'unknown'}, was ${original})`;
}

function say(fd: number, line: string): void {
  if (fd < 0) return;
  try {
    writeSync(fd, `${line}\n`);
  } catch (error) {
    // The other end is gone: there is nobody to tell.
    if (errorCode(error) === undefined) throw error;
  }
}
