import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuardEvent } from '../../../../packages/hostd/dist/guards/guard.js';
import type { WriteOp } from '../../../../packages/hostd/dist/kernel/writer.js';
import { runTool } from './tool.ts';

export interface VictimOrder {
  /** Index of the write at which it ends itself; -1: it lives to the end. */
  killAt: number;
  phase: 'before' | 'after';
  task: { tgid: number; tid: number; startTime: string };
}

export interface VictimReport {
  ops: WriteOp[];
  events: GuardEvent[];
  mode: string;
  reason: string | undefined;
}

export interface VictimEnd {
  status: number | null;
  signal: number | null;
  /** Undefined where it did not live to the end. */
  report: VictimReport | undefined;
}

const VICTIM = join(import.meta.dirname, 'victim.js');

/** Victims to order about: one for each order, forked from one process that has everything loaded. */
export class Victims {
  readonly #parent: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(runtimeDir: string, config: object) {
    const flags = ['--single-threaded', '--v8-pool-size=0'];
    this.#parent = spawn(process.execPath, [...flags, VICTIM, runtimeDir, JSON.stringify(config), 'fork'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#parent.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
  }

  async run(order: VictimOrder): Promise<VictimEnd> {
    this.#parent.stdin?.write(`${JSON.stringify(order)}\n`);
    let report: VictimReport | undefined;
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error('the parent of the victims has died');
      const message = JSON.parse(value) as VictimReport | Omit<VictimEnd, 'report'>;
      if ('signal' in message) return { ...message, report };
      report = message;
    }
  }

  close(): void {
    this.#parent.kill('SIGKILL');
  }
}

/** One victim that lives to the end, an ordinary process under strace, which lists its writes with their paths. */
export function stracedVictim(
  runtimeDir: string,
  config: object,
  task: VictimOrder['task'],
): { trace: string; report: VictimReport } {
  const order: VictimOrder = { killAt: -1, phase: 'before', task };
  const calls =
    'write,pwrite64,writev,pwritev,sched_setattr,sched_setaffinity,sched_setscheduler,setpriority';
  const file = `/tmp/strace-${process.pid}`;
  const { stdout } = runTool(
    'strace',
    [
      ...['-f', '-y', '-s', '4096', '-e', `trace=${calls}`, '-o', file],
      ...[process.execPath, VICTIM, runtimeDir, JSON.stringify(config)],
    ],
    { input: `${JSON.stringify(order)}\n` },
  );
  const report = JSON.parse(
    stdout.split('\n').findLast((line) => line.startsWith('{')) as string,
  ) as VictimReport;
  return { trace: readFileSync(file, 'utf8'), report };
}
