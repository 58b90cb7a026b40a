import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { startTime } from '../kernel/identity.ts';
import { openKernel } from '../kernel/kernel.ts';

/** For tests: a shell whose controls can be changed, and that starts children when it is told to. */
export interface Sleeper {
  process: ChildProcess;
  task: { tgid: number; tid: number; startTime: string };
  /** Starts a child that sleeps, and gives its pid. `orphan`: its parent ends at once. */
  spawn(orphan?: boolean): Promise<number>;
  end(): void;
}

export async function startSleeper(): Promise<Sleeper> {
  const child = spawn('/bin/sh', ['-c', 'while read word; do eval "$word"; done'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pid = child.pid as number;
  const { files } = openKernel();
  const lines: ((line: string) => void)[] = [];
  const children: number[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
    lines.shift()?.(line),
  );
  return {
    process: child,
    task: { tgid: pid, tid: pid, startTime: startTime(files, pid) as string },
    async spawn(orphan = false) {
      const said = new Promise<string>((resolve) => lines.push(resolve));
      const start = 'sleep 300 >/dev/null & echo $!';
      child.stdin?.write(orphan ? `(${start})\n` : `${start}\n`);
      const started = Number(await said);
      children.push(started);
      return started;
    },
    end() {
      for (const started of children) {
        try {
          process.kill(started, 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
      child.kill('SIGKILL');
    },
  };
}
