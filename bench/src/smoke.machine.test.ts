import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withBpfStats } from './bpf-stats.ts';
import type { BenchResult } from './result.ts';
import { resumeLimits } from './resume-limits.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const root = process.getuid?.() === 0;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-bench-test-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function quick(name: string): Promise<BenchResult> {
  await promisify(execFile)(process.execPath, [main, '--quick', '--json', dir, name], { timeout: 110_000 });
  return JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8')) as BenchResult;
}

it('measures deciding', async () => {
  const { figures } = await quick('decide');
  expect(figures.every(({ value }) => value > 0)).toBe(true);
});

it.skipIf(!root)(
  'measures from hint to guard (needs root), and leaves the CPUs’ limits as they were',
  async () => {
    const before = resumeLimits();
    const { figures } = await quick('hint-latency');
    expect(figures.map(({ samples }) => samples)).toEqual([100, 100, 100]);
    expect(resumeLimits()).toEqual(before);
  },
);

it.skipIf(!root)(
  'counts BPF programs only while it is asked to (needs root), also when that fails',
  async () => {
    const sysctl = () => readFileSync('/proc/sys/kernel/bpf_stats_enabled', 'utf8').trim();
    const before = sysctl();
    const failing = withBpfStats(async () => {
      expect(sysctl()).toBe('1');
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(sysctl()).toBe(before);
  },
);
