import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

test('it runs as it is, without hostd', async () => {
  const env = { ...process.env, PREWAKE_SOCKET: '/nowhere/hostd.sock' };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main], { env, timeout: 30_000 });
  const lines = stdout.trim().split('\n');
  expect(lines.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((poll) => `${poll}: 200 {"ready":true}`));
  expect(lines[5]).toBe('no hostd');
  expect(stderr).toBe('');
});
