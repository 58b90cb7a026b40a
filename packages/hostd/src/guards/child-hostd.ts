import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GuardControllerOptions } from './create.ts';
import type { WindowRequest } from './guard.ts';

/** For tests: {@link file://./fixture-hostd.ts} as a child process, and what it said. */
export interface ChildHostd {
  process: ChildProcess;
  said: Record<string, unknown>[];
  /** The guardian's pid. */
  guardian: number;
  /** Waits until it has said something that matches. */
  heard(match: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
}

export async function startChildHostd(
  wishes: GuardControllerOptions & { windows: Partial<WindowRequest>[] },
  /** Called when it has the controls, and before it arms. */
  beforeArming: () => void = () => {},
): Promise<ChildHostd> {
  const entry = fileURLToPath(new URL('./fixture-hostd.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--conditions=@prewake/source', entry, JSON.stringify(wishes)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const said: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
    said.push(JSON.parse(line)),
  );
  const heard: ChildHostd['heard'] = async (match) => {
    await until(
      () => said.some(match),
      () => `said: ${JSON.stringify(said)}`,
    );
    return said.find(match) as Record<string, unknown>;
  };
  await heard((message) => message.mode !== undefined);
  beforeArming();
  child.stdin?.write('\n');
  await heard((message) => message.armed === true);
  return { process: child, said, heard, guardian: said[0]?.guardian as number };
}

/** Waits until something holds; a minute is plenty on any machine. */
export async function until(holds: () => boolean, why: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (holds()) return;
    await sleep(20);
  }
  throw new Error(`did not happen within a minute. ${why()}`);
}

/** Whether a process runs (a zombie does not). */
export function runs(pid: number): boolean {
  try {
    return !/^\S+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
