import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPolicy, defaultPolicyConfig } from '../policy/index.ts';
import { StateFile } from './state-file.ts';

let dir: string;
let log: string[];
const policy = () => createPolicy(defaultPolicyConfig, { random: () => 0.5 });
let now: number;
const open = (learned: ReturnType<typeof policy>, { at = dir, readOnly = false } = {}) =>
  new StateFile(at, learned, { log: (line) => log.push(line), now: () => now, readOnly });

function watchNames(path: string, names: (string | null)[]): Disposable {
  const watcher = watch(path, (_event, name) => names.push(name));
  return { [Symbol.dispose]: () => watcher.close() };
}

function taught(): ReturnType<typeof policy> {
  const learned = policy();
  for (let i = 0; i < 40; i++) {
    const user = 1000 + (i % 2);
    const wait = `s${user}/${i}`;
    const payer = { user, cgroup: '/' };
    learned.waitStarted({ wait, session: `s${user}`, payer, kind: 'tool', key: 'Grep', at: i * 1e6 });
    learned.waitEnded({ wait, at: i * 1e6 + 20_000 });
  }
  return learned;
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-state-'));
  log = [];
  now = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('StateFile', () => {
  it('keeps what was learned across restarts, for its own user alone', () => {
    const first = taught();
    open(first).save();
    const second = policy();
    open(second).load();
    expect(second.classes(1000)).toEqual(first.classes(1000));
    expect(second.classes(1000)[0]).toMatchObject({ key: 'Grep', waits: 20 });
    expect(statSync(join(dir, 'learned.json')).mode & 0o777).toBe(0o600);
    expect(log).toEqual([]);
  });

  it.each([
    ['garbage', '{"vers', 'PREWAKE_STATE_CORRUPT'],
    ['something else', '{"version":3,"users":{"x":7}}', 'PREWAKE_STATE_CORRUPT'],
    ['another version', '{"version":999,"users":{}}', 'PREWAKE_STATE_VERSION'],
  ])('sets %s aside with a message, and loses nothing of it', (_what, text, code) => {
    writeFileSync(join(dir, 'learned.json'), text);
    open(policy()).load();
    expect(log.join()).toContain(code);
    const [aside] = readdirSync(dir);
    expect(aside).toMatch(/^learned\.json\./);
    expect(readFileSync(join(dir, aside as string), 'utf8')).toBe(text);
  });

  it('keeps in the background what was learned, when the last save is old', async () => {
    const first = taught();
    const file = open(first);
    file.keep();
    now = 15 * 60e6;
    file.keep();
    file.keep();
    expect(readdirSync(dir)).toEqual([]);
    await expect.poll(() => readdirSync(dir)).toEqual(['learned.json']);
    expect(statSync(join(dir, 'learned.json')).mode & 0o777).toBe(0o600);
    const second = policy();
    open(second).load();
    for (const user of [1000, 1001]) expect(second.classes(user)).toEqual(first.classes(user));
  });

  it('lets no save in the background overwrite a later one', async () => {
    const learned = taught();
    const file = open(learned);
    const seen: (string | null)[] = [];
    using _watcher = watchNames(dir, seen);
    now = 15 * 60e6;
    file.keep();
    const payer = { user: 1000, cgroup: '/' };
    learned.waitStarted({ wait: 'w', session: 's', payer, kind: 'tool', key: 'Late', at: 1e9 });
    learned.waitEnded({ wait: 'w', at: 1e9 + 1e4 });
    file.save();
    // Written and gone again, by whichever way.
    const ofBackground = () => seen.filter((name) => name?.endsWith('.background')).length;
    await expect.poll(() => ofBackground() > 1 && readdirSync(dir).length === 1).toBe(true);
    expect(readFileSync(join(dir, 'learned.json'), 'utf8')).toContain('Late');
  });

  it('writes nothing in a dry run, and sets nothing aside', () => {
    writeFileSync(join(dir, 'learned.json'), '{"vers');
    const file = open(policy(), { readOnly: true });
    file.load();
    now = 15 * 60e6;
    file.keep();
    file.save();
    expect(readdirSync(dir)).toEqual(['learned.json']);
    expect(readFileSync(join(dir, 'learned.json'), 'utf8')).toBe('{"vers');
    expect(log.join()).toContain('left as it is');
  });

  it('leaves a file alone that can’t be read', () => {
    // Not for want of permission: root may read everything.
    mkdirSync(join(dir, 'learned.json'));
    const file = open(policy());
    file.load();
    file.save();
    expect(readdirSync(dir)).toEqual(['learned.json']);
    expect(log).toHaveLength(1);
    expect(log[0]).toContain('EISDIR');
  });

  it('says once that a directory can’t be written', () => {
    writeFileSync(join(dir, 'file'), '');
    const file = open(policy(), { at: join(dir, 'file') });
    file.save();
    file.save();
    expect(log).toHaveLength(1);
  });
});
