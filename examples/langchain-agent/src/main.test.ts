import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const main = fileURLToPath(new URL('./main.ts', import.meta.url));

function agent(...args: string[]) {
  const { OPENAI_API_KEY: _, ...env } = process.env;
  return run(process.execPath, [main, ...args], { env, timeout: 60_000 });
}

test('the agent completes its steps, and two runs print the same bytes', { timeout: 120_000 }, async () => {
  const [first, second] = await Promise.all([
    agent('--speed', '50', '--json'),
    agent('--speed', '100', '--seed', '7', '--json'),
  ]);
  expect(second.stdout).toBe(first.stdout);
  const result = JSON.parse(first.stdout);
  expect(result.steps.model + result.steps.tool).toBeGreaterThanOrEqual(64);
  expect(result.tools).toHaveLength(result.steps.tool);
  expect(new Set(result.tools.map((tool: { name: string }) => tool.name))).toEqual(
    new Set(['search_files', 'read_file', 'run_command', 'query_sql']),
  );
  expect(result.tools.every((tool: { status: string }) => tool.status === 'success')).toBe(true);
  expect(result.answer).toMatch(/looked into \d+ topics and found [1-9]\d* places/);
});

test('--help and a wrong option', async () => {
  expect((await agent('--help')).stdout).toContain('--speed F');
  const wrong = await agent('--steps', 'many').catch((error) => error);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--steps: many is not an integer'),
  });
});
