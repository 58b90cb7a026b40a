import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

test.each(['yes', 'no'])(
  'it runs as it is, and prints the same with Prewake switched off: approved %s',
  async (answer) => {
    const run = (more: NodeJS.ProcessEnv) => {
      const env = { ...process.env, PREWAKE_SOCKET: '/nowhere/hostd.sock', ...more };
      return promisify(execFile)(process.execPath, [main, answer], { env, timeout: 30_000 });
    };
    const [announced, disabled] = await Promise.all([run({}), run({ PREWAKE_DISABLED: '1' })]);
    expect(announced).toEqual(disabled);
    expect(announced.stderr).toBe('');
    expect(announced.stdout).toMatch(/^Readings: Oslo \d+ °C, Porto \d+ °C, Quito \d+ °C\n/);
    expect(announced.stdout).toContain(`Report: It is mild everywhere.\nApproved: ${answer}\n`);
  },
);
