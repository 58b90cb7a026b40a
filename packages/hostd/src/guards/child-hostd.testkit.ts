import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GuardControllerOptions } from './create.ts';
import type { WindowRequest } from './guard.ts';

/** What a child hostd is asked to do. */
export interface ChildWishes extends GuardControllerOptions {
  windows: Partial<WindowRequest>[];
  /** Kill (or stop) itself before or after its n-th write (1 is the first); 0: only say each write. */
  kill?: { at: number; when: 'before' | 'after'; signal?: 'SIGKILL' | 'SIGSTOP' };
}

/** For tests: {@link file://./fixture-hostd.testkit.ts} as a child process, and what it said. */
export interface ChildHostd {
  process: ChildProcess;
  said: Record<string, unknown>[];
  /** The guardian's pid. */
  guardian: number;
  /** Waits until it has said something that matches. */
  heard(match: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
}

export async function startChildHostd(
  wishes: ChildWishes,
  /** Called when it has the controls, and before it arms. */
  beforeArming: () => void = () => {},
  /** A command that execs what follows it: a machine of its own for the child. */
  inside: readonly string[] = [],
): Promise<ChildHostd> {
  // As it ships: compiled.
  const entry = fileURLToPath(new URL('../../dist/guards/fixture-hostd.testkit.js', import.meta.url));
  const [command = '', ...args] = [...inside, process.execPath, entry, JSON.stringify(wishes)];
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
    said.push(JSON.parse(line)),
  );
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (log) => said.push({ log }));
  const heard: ChildHostd['heard'] = async (match) => {
    await until(
      () => said.some(match),
      () => `said: ${JSON.stringify(said)}`,
    );
    return said.find(match) as Record<string, unknown>;
  };
  const ended = () => child.exitCode !== null || child.signalCode !== null || stopped(child.pid as number);
  await until(
    () => ended() || said.some((message) => message.mode !== undefined),
    () => JSON.stringify(said),
  );
  beforeArming();
  child.stdin?.on('error', () => {});
  child.stdin?.write('\n');
  await until(
    () => ended() || said.some((message) => message.armed === true),
    () => JSON.stringify(said),
  );
  return {
    process: child,
    said,
    heard,
    guardian: said.find((message) => message.guardian)?.guardian as number,
  };
}

/** Waits until something holds; two minutes are plenty on any machine. */
export async function until(holds: () => boolean, why: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (holds()) return;
    await sleep(20);
  }
  throw new Error(`did not happen within two minutes. ${why()}`);
}

/** Whether a process runs (a zombie does not). */
export function runs(pid: number): boolean {
  return !['', 'Z', 'X'].includes(state(pid));
}

/** Whether a process is stopped. */
export function stopped(pid: number): boolean {
  return state(pid) === 'T';
}

function state(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return '';
  }
}
