import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
// Within the project, so that vitest is found from there.
const dir = join(import.meta.dirname, '..', '.cache', 'totals');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const suite = `
import { beforeAll, describe, expect, it } from 'vitest';
it('passes', () => {});
it('fails', () => expect(1).toBe(2));
it('is skipped with a reason', (ctx) => ctx.skip('no such kernel'));
it.skip('is skipped', () => {});
it.todo('is yet to be written');
describe('with a hook that fails', () => {
  beforeAll(() => { throw new Error('the hook broke\\nin two lines'); });
  it('never runs', () => {});
});
`;

it('the totals count what passed, what failed in a test or outside of one, and why the rest was skipped', () => {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'vitest.config.mjs'), 'export default {};');
  writeFileSync(join(dir, 'suite.test.mjs'), suite);
  writeFileSync(join(dir, 'unloadable.test.mjs'), `throw new Error('it does not load');`);
  const totals = join(dir, 'totals.json');
  const reporter = join(root, 'scripts/totals-reporter.mjs');
  const { status } = spawnSync(join(root, 'node_modules/.bin/vitest'), ['run', `--reporter=${reporter}`], {
    cwd: dir,
    env: { ...process.env, PREWAKE_TEST_TOTALS: totals },
  });
  expect(status).toBe(1);
  expect(JSON.parse(readFileSync(totals, 'utf8'))).toEqual({
    passed: 1,
    failed: 1,
    finished: true,
    skipped: [
      { name: 'suite.test.mjs > is skipped with a reason', reason: 'no such kernel' },
      { name: 'suite.test.mjs > is skipped', reason: 'skip' },
      { name: 'suite.test.mjs > is yet to be written', reason: 'todo' },
      { name: 'suite.test.mjs > with a hook that fails > never runs', reason: 'never ran' },
    ],
    outsideTests: expect.arrayContaining([
      { name: 'suite.test.mjs > with a hook that fails', message: 'the hook broke' },
      { name: 'unloadable.test.mjs', message: 'it does not load' },
    ]),
  });
});
