import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const compiled = fileURLToPath(new URL('../../dist/kernel/own-scheduling.js', import.meta.url));

it('lowers the weight of all its threads, and never raises it', async () => {
  for (const [before, after] of [
    [0, 5],
    [9, 9],
  ]) {
    const script = `import { yieldToWoken } from '${compiled}';
      yieldToWoken(); console.log('done'); setInterval(() => {}, 1e6);`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    const child = spawn('nice', ['-n', String(before), ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const tids = readdirSync(`/proc/${child.pid}/task`);
      const nice = tids.map((tid) => {
        const stat = readFileSync(`/proc/${child.pid}/task/${tid}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]); // Field 19 of proc_pid_stat(5).
      });
      expect(nice.length).toBeGreaterThan(1);
      expect(new Set(nice)).toEqual(new Set([after]));
    } finally {
      child.kill('SIGKILL');
    }
  }
});
