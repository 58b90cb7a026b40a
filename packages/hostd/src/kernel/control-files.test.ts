import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixtureTree } from './fixture-tree.testkit.ts';
import { openKernel } from './kernel.ts';
import type { WriteOp } from './writer.ts';

const FILE = 'sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us';

test('a shorter value leaves nothing of a longer one behind', () => {
  using tree = fixtureTree();
  const kernel = openKernel(tree.root);
  kernel.files.write(FILE, 'n/a');
  expect(kernel.files.read(FILE)).toBe('n/a');
  kernel.files.write(FILE, '0');
  expect(readFileSync(join(tree.root, FILE), 'latin1')).toBe('0');
  kernel.close();
});

test('what is not known is undefined, not zero', () => {
  using tree = fixtureTree();
  const { files } = openKernel(tree.root);
  tree.set('sys/strange', '<unknown>');
  tree.set('sys/empty', '');
  expect(files.peek('sys/none')).toBeUndefined();
  expect([
    files.peekNumber('sys/none'),
    files.peekNumber('sys/strange'),
    files.peekNumber('sys/empty'),
  ]).toEqual([undefined, undefined, undefined]);
});

test('every write passes the tap, before and after it happens; a failed one has no after', () => {
  using tree = fixtureTree();
  const seen: string[] = [];
  const look = (op: WriteOp, when: string) => seen.push(`${when} ${op.value}: ${tree.get(FILE)}`);
  const tap = {
    before: (op: WriteOp) => look(op, 'before'),
    after: (op: WriteOp) => look(op, 'after'),
  };
  const kernel = openKernel(tree.root, { tap });
  kernel.files.write(FILE, '50');
  expect(() => kernel.files.write('sys/none', '1')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(seen).toEqual(['before 50: 0', 'after 50: 50', 'before 1: 50']);
  kernel.close();
});
