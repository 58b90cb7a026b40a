import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PowerConditionsReader } from '../kernel/power-conditions.ts';
import { createBudget, defaultBudgetConfig } from '../policy/index.ts';
import { Thrift } from './thrift.ts';

const SECOND = 1_000_000;
let root: string;
let now: number;
const changes: [part: number, reasons: readonly string[]][] = [];
const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${text}\n`);
};

/** With a budget of 100 tokens that refills by 10 a second, and the machine's conditions as files. */
function thrifty() {
  const bucket = { refillPerSecond: 10, capacity: 100, recovery: 0.1 };
  const budget = createBudget({ ...defaultBudgetConfig(2), host: bucket, user: bucket, cgroup: bucket });
  const reader = new PowerConditionsReader(root);
  const parts = { thermal: 0.25, battery: 0.5, powerSaver: 0 };
  const thrift = new Thrift({ budget, parts, read: () => reader.read(), now: () => now });
  changes.length = 0;
  thrift.onChange = (part, reasons) => changes.push([part, reasons]);
  return { budget, thrift };
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'prewake-thrift-'));
  now = SECOND;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('cuts the refill by the smallest part that applies, says why, and gives it back', async () => {
  const { budget, thrift } = thrifty();
  const payer = { user: 1, cgroup: '/a' };
  expect(budget.request(payer, 100, now).granted).toBe(true);
  const tokens = () => budget.snapshot(now).find(({ bucket }) => bucket === 'host')?.tokens;

  put('sys/class/power_supply/BAT0/type', 'Battery');
  put('sys/class/power_supply/BAT0/status', 'Discharging');
  thrift.look();
  await expect.poll(() => changes).toEqual([[0.5, ['BAT0 is discharging']]]);
  now += 2 * SECOND;
  expect(tokens()).toBeCloseTo(10);

  // A second look within five seconds of the first reads nothing.
  put('sys/firmware/acpi/platform_profile', 'low-power');
  thrift.look();
  now += 4 * SECOND;
  thrift.look();
  await expect.poll(() => thrift.state.part).toBe(0);
  expect(thrift.state.reasons).toEqual(['BAT0 is discharging', 'platform profile is low-power']);
  const dry = tokens() as number;
  now += 10 * SECOND;
  expect(tokens()).toBeCloseTo(dry);

  rmSync(join(root, 'sys'), { recursive: true });
  thrift.look();
  await expect.poll(() => changes.at(-1)).toEqual([1, []]);
  now += SECOND;
  expect(tokens()).toBeCloseTo(dry + 10);
});
