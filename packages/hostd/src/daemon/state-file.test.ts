import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPolicy, defaultPolicyConfig } from '../policy/index.ts';
import { StateFile } from './state-file.ts';

let dir: string;
let log: string[];
const policy = () => createPolicy(defaultPolicyConfig, { random: () => 0.5 });
const open = (learned: ReturnType<typeof policy>, at = dir) =>
  new StateFile(at, learned, (line) => log.push(line));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-state-'));
  log = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('StateFile', () => {
  it('keeps what was learned across restarts, for its own user alone', () => {
    const first = policy();
    for (let i = 0; i < 20; i++) {
      const wait = `s1/${i}`;
      const payer = { user: 1000, cgroup: '/' };
      first.waitStarted({ wait, session: 's1', payer, kind: 'tool', key: 'Grep', at: i * 1e6 });
      first.waitEnded({ wait, at: i * 1e6 + 20_000 });
    }
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
    ['something else', '{"version":2,"users":{"x":7}}', 'PREWAKE_STATE_CORRUPT'],
    ['another version', '{"version":999,"users":{}}', 'PREWAKE_STATE_VERSION'],
  ])('sets %s aside with a message, and loses nothing of it', (_what, text, code) => {
    writeFileSync(join(dir, 'learned.json'), text);
    open(policy()).load();
    expect(log.join()).toContain(code);
    const [aside] = readdirSync(dir);
    expect(aside).toMatch(/^learned\.json\./);
    expect(readFileSync(join(dir, aside as string), 'utf8')).toBe(text);
  });

  it('says once that a directory can’t be written', () => {
    writeFileSync(join(dir, 'file'), '');
    const file = open(policy(), join(dir, 'file'));
    file.save();
    file.save();
    expect(log).toHaveLength(1);
  });
});
