import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { expect, it } from 'vitest';
import { ThreadCpus } from './thread-cpus.ts';

it('reads field 39 behind a comm that tries to look like fields', () => {
  const root = mkdtempSync(join(tmpdir(), 'prewake-threads-'));
  try {
    const dir = join(root, 'proc/7/task/8');
    mkdirSync(dir, { recursive: true });
    const fields = Array.from({ length: 50 }, (_, i) => String(i + 3));
    fields[36] = '12';
    writeFileSync(join(dir, 'stat'), `8 (a) 1 2) ${fields.join(' ')}\n`);
    const cpus = new ThreadCpus(`${root}/`);
    expect(cpus.lastCpu(7, 8, 1000)).toBe(12);
    fields[36] = '3';
    writeFileSync(join(dir, 'stat'), `8 (a) 1 2) ${fields.join(' ')}\n`);
    expect(cpus.lastCpu(7, 8, 1999)).toBe(12);
    expect(cpus.lastCpu(7, 8, 2000)).toBe(3);
    expect(cpus.lastCpu(7, 9, 2000)).toBe(-1);
    cpus.close();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

it('agrees with the kernel on a thread that is pinned, and knows none that is gone', async () => {
  const child = spawn('taskset', ['-c', '0', 'sleep', '600']);
  await once(child, 'spawn');
  const pid = child.pid as number;
  const cpus = new ThreadCpus();
  await expect.poll(() => cpus.lastCpu(pid, pid, monotonicMicros())).toBe(0);
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(cpus.lastCpu(pid, pid, monotonicMicros() + 1000)).toBe(-1);
  cpus.close();
});

it('keeps a bounded number of descriptors', () => {
  const root = mkdtempSync(join(tmpdir(), 'prewake-threads-'));
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    for (let tid = 1; tid <= 1000; tid++) {
      mkdirSync(join(root, `proc/1/task/${tid}`), { recursive: true });
      writeFileSync(join(root, `proc/1/task/${tid}/stat`), stat);
    }
    const cpus = new ThreadCpus(`${root}/`);
    const before = readdirSync('/proc/self/fd').length;
    for (let tid = 1; tid <= 1000; tid++) expect(cpus.lastCpu(1, tid, 0)).toBeGreaterThanOrEqual(0);
    expect(readdirSync('/proc/self/fd').length - before).toBeLessThanOrEqual(256);
    cpus.close();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
