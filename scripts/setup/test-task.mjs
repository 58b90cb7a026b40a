// `npm test`: types, lint, every test; then the true totals, and each skipped test with its reason.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { exit } from './progress.mjs';
import { binDir, cacheDir, root, taskEnv } from './root.mjs';

const totalsFile = join(cacheDir, 'test', 'totals.json');

export async function runTests(args) {
  const types = await run('tsc', ['-b']);
  const lint = await run('biome', ['check', '.']);
  rmSync(totalsFile, { force: true });
  mkdirSync(join(cacheDir, 'test'), { recursive: true });
  const reporters = ['--reporter=default', '--reporter=./scripts/totals-reporter.mjs'];
  const tests = await run('vitest', ['run', ...reporters, ...args], { PREWAKE_TEST_TOTALS: totalsFile });

  if (types !== 0) console.log(`tsc -b failed (exit ${types})`);
  if (lint !== 0) console.log(`biome check failed (exit ${lint})`);
  const whole = printTotals(tests);
  return types || lint || tests || (whole ? 0 : 1);
}

async function run(tool, args, env = {}) {
  console.log(`\n> ${tool} ${args.join(' ')}`);
  const child = spawn(join(binDir, tool), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...taskEnv(), ...env },
  });
  const { code, error } = await exit(child);
  if (error) console.log(`${tool} did not start: ${error.message}`);
  return code;
}

/** False where the totals are missing or not all green. */
function printTotals(exitCode) {
  if (!existsSync(totalsFile)) {
    console.log(`vitest ended (exit ${exitCode}) before it could count: there are no totals`);
    return false;
  }
  const totals = JSON.parse(readFileSync(totalsFile, 'utf8'));
  for (const { name, reason } of totals.skipped) console.log(`skipped: ${name} [${reason}]`);
  for (const { name, message } of totals.outsideTests)
    console.log(`failed outside a test: ${name}: ${message}`);
  const failed = totals.failed + totals.outsideTests.length;
  console.log(`${totals.passed} passed, ${failed} failed, ${totals.skipped.length} skipped`);
  return failed === 0 && totals.passed > 0 && totals.finished;
}
