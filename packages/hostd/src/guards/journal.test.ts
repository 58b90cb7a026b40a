import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileSizeLimit } from '../kernel/limits.testkit.ts';
import { KernelWriter } from '../kernel/writer.ts';
import type { Target } from './guard.ts';
import { Journal, loadJournal, markVoid, restoreBehind } from './journal.ts';
import { parseJournal } from './journal-format.ts';
import { restore } from './replay.ts';
import { parseTarget, targetKey } from './target.ts';

const owner = { bootId: 'b', pid: 7, startTime: '99' };
const cpu: Target = { type: 'cpu', cpu: 1 };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = () => new Journal(dir, owner, new KernelWriter());

test('a claim is what was found, and every value that may be there now', () => {
  const journal = open();
  journal.intent('idle.cpu', cpu, '0', '50');
  expect(loadJournal(dir).claims.get('idle.cpu cpu:1')).toEqual({
    guard: 'idle.cpu',
    target: cpu,
    original: '0',
    writes: [{ value: '50', readBack: undefined }],
  });
  journal.readBack('idle.cpu', cpu, '50');
  journal.intent('idle.cpu', cpu, '0', '20');
  expect(loadJournal(dir).claims.get('idle.cpu cpu:1')?.writes).toEqual([
    { value: '50', readBack: '50' },
    { value: '20', readBack: undefined },
  ]);
  journal.readBack('idle.cpu', cpu, '20');
  expect(loadJournal(dir).claims.get('idle.cpu cpu:1')?.writes).toEqual([{ value: '20', readBack: '20' }]);
  journal.done('idle.cpu', cpu);
  expect(loadJournal(dir)).toEqual({ owner, claims: new Map() });
  journal.close();
});

test('compaction keeps every open claim as it was', () => {
  const journal = open();
  journal.intent('idle.cpu', cpu, '0', '50');
  journal.readBack('idle.cpu', cpu, '50');
  journal.intent('idle.cpu', cpu, '0', '20');
  journal.intent('frequency.policy', { type: 'policy', policy: 0 }, '1200000', '1800000');
  const before = loadJournal(dir);
  journal.compact();
  expect(loadJournal(dir)).toEqual(before);
  journal.done('idle.cpu', cpu);
  expect([...loadJournal(dir).claims.keys()]).toEqual(['frequency.policy policy:0']);
  journal.close();
});

test('cut short anywhere, it still says what was claimed before the cut, and never throws', () => {
  const journal = open();
  journal.intent('idle.cpu', cpu, '0', '50');
  const claimed = readFileSync(join(dir, 'guards.journal')).length;
  journal.readBack('idle.cpu', cpu, '50');
  journal.intent('idle.cpu', { type: 'cpu', cpu: 0 }, '0', '50');
  journal.close();
  const whole = readFileSync(join(dir, 'guards.journal'));
  for (let end = 0; end <= whole.length; end++) {
    const { claims } = parseJournal(whole.subarray(0, end).toString());
    expect(claims.has('idle.cpu cpu:1')).toBe(end >= claimed - 1);
  }
});

const other: Target = { type: 'cpu', cpu: 0 };
const size = () => readFileSync(join(dir, 'guards.journal')).length;
const claimed = () => [...loadJournal(dir).claims.keys()];

test('a compaction that fails leaves the journal that is there in use', () => {
  const journal = open();
  journal.intent('idle.cpu', cpu, '0', '50');
  const before = size();
  withFileSizeLimit(before - 1, () => expect(() => journal.compact()).toThrow(/is full/));
  expect(size()).toBe(before);
  // What is opened next must not be what the journal writes to.
  const next = openSync(join(dir, 'next'), 'w');
  journal.intent('idle.cpu', other, '0', '50');
  expect(claimed()).toEqual(['idle.cpu cpu:1', 'idle.cpu cpu:0']);
  expect(readFileSync(join(dir, 'next'), 'utf8')).toBe('');
  closeSync(next);
  journal.compact();
  expect(claimed()).toEqual(['idle.cpu cpu:1', 'idle.cpu cpu:0']);
  journal.close();
});

test('without its directory it takes no more intents once it has noticed, for nobody would find them', () => {
  const journal = open();
  rmSync(dir, { recursive: true });
  expect(() => {
    for (;;) {
      journal.intent('idle.cpu', cpu, '0', '50');
      journal.done('idle.cpu', cpu);
    }
  }).toThrow(/ENOENT/);
  expect(() => journal.intent('idle.cpu', cpu, '0', '50')).toThrow(/ENOENT/);
  mkdirSync(dir);
  journal.intent('idle.cpu', cpu, '0', '50');
  expect(claimed()).toEqual(['idle.cpu cpu:1']);
  journal.close();
});

test.each([0, 1, 10])('a line of which %i bytes were written does not spoil the next', (bytes) => {
  const journal = open();
  withFileSizeLimit(size() + bytes, () =>
    expect(() => journal.intent('idle.cpu', cpu, '0', '50')).toThrow(/is full|EFBIG/),
  );
  expect(claimed()).toEqual([]);
  journal.intent('idle.cpu', other, '0', '50');
  expect(claimed()).toEqual(['idle.cpu cpu:0']);
  journal.close();
});

test('a claim whose end could not be written is not the next one’s original', () => {
  const journal = open();
  journal.intent('idle.cpu', other, '0', '50');
  journal.intent('idle.cpu', cpu, '0', '50');
  withFileSizeLimit(size() + 5, () => expect(() => journal.done('idle.cpu', cpu)).toThrow(/is full/));
  expect(claimed()).toEqual(['idle.cpu cpu:0', 'idle.cpu cpu:1']);
  // Somebody else has set 300 meanwhile.
  journal.intent('idle.cpu', cpu, '300', '50');
  expect(loadJournal(dir).claims.get('idle.cpu cpu:1')).toMatchObject({ original: '300' });
  expect(loadJournal(dir).claims.get('idle.cpu cpu:0')).toMatchObject({ original: '0' });
  journal.close();
});

test('whatever else is in the file is left out', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.json())), (lines) => {
      expect(() => parseJournal(lines.join('\n'))).not.toThrow();
    }),
    { examples: [[['[{"toString":0}]']]] },
  );
  expect(parseJournal('\0\0[1,2]\n["intent"]\n["intent","idle.cpu","cpu:x","0","1"]\nnull\n')).toEqual({
    owner: undefined,
    claims: new Map(),
  });
});

test('what is no journal is not taken for an empty one', () => {
  expect(loadJournal(dir)).toEqual({ owner: undefined, claims: new Map() });
  const path = join(dir, 'guards.journal');
  for (const text of ['nonsense', '["prewake",99,"b",7,"99"]\n', '\0\0\0']) {
    writeFileSync(path, text);
    expect(() => loadJournal(dir)).toThrow(expect.objectContaining({ code: 'PREWAKE_JOURNAL_UNREADABLE' }));
    expect(() => restore({ root: dir, runtimeDir: dir })).toThrow(
      expect.objectContaining({ code: 'PREWAKE_RESTORE_FAILED', message: expect.stringContaining(path) }),
    );
    expect(readFileSync(path, 'utf8')).toBe(text);
  }
});

test('its writer hears of each void once', () => {
  const journal = open();
  expect(journal.voided()).toBe(false);
  markVoid(dir);
  expect([journal.voided(), journal.voided()]).toEqual([true, false]);
  journal.close();
});

test('restores also where the writer cannot be told, and says so then', () => {
  const journal = open();
  let restored = 0;
  const restore = () => ++restored;
  expect(restoreBehind(dir, restore)).toBe(1);
  expect([journal.voided(), journal.voided()]).toEqual([true, false]);
  rmSync(join(dir, 'guards.voids'));
  expect(() => restoreBehind(dir, restore)).toThrow(/ENOENT/);
  expect(restored).toBe(2);
  journal.close();
});

test('every target survives its own name', () => {
  const targets: Target[] = [
    { type: 'host' },
    cpu,
    { type: 'idle_state', cpu: 3, state: 2 },
    { type: 'policy', policy: 4 },
    { type: 'task', tgid: 10, tid: 11, startTime: '12345678901234567890' },
  ];
  expect(targets.map(targetKey).map(parseTarget)).toEqual(targets);
  for (const wrong of ['', 'cpu', 'cpu:', 'cpu:1:2', 'task:1:2', 'host:1', 'policy:-1', 'disk:0']) {
    expect(parseTarget(wrong)).toBeUndefined();
  }
});
