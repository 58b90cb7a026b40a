import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const compiled = fileURLToPath(new URL('../../dist/kernel/own-scheduling.js', import.meta.url));

it('lowers a process’s weight, and never raises it', async () => {
  for (const [before, after] of [
    [0, 5],
    [9, 9],
  ]) {
    const script = `import { setPriority } from 'node:os'; import { yieldToWoken } from '${compiled}';
      setPriority(${before}); yieldToWoken(); console.log('done'); setInterval(() => {}, 1e6);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      // Field 19 of proc_pid_stat(5).
      expect(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])).toBe(after);
    } finally {
      child.kill('SIGKILL');
    }
  }
});
