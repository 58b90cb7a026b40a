import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prewake, RunningHostd } from './prewake.testkit.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-cli-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a wrong command line is one line on stderr and exit code 2', () => {
  it.each([
    [['statu'], "unknown command 'statu' (Did you mean one of stats, status?)"],
    [['status', '--jso'], "unknown option '--jso' (Did you mean --json?)"],
    [['status', 'now'], "too many arguments for 'status'. Expected 0 arguments but got 1: now."],
    [
      ['hostd', '--log-level', 'loud'],
      "option '--log-level <level>' argument 'loud' is invalid. Allowed choices are error, warn, info, debug.",
    ],
    [['hostd', '--metrics-listen', 'x'], 'HOST:PORT such as 127.0.0.1:9464'],
    [['hostd', '--socket', 'relative'], 'socket must be an absolute path, not "relative"'],
    [['events', '--count', 'many'], 'It must be a whole number.'],
    [['top', '--interval', '0'], 'It must be 1 to 86400 seconds.'],
    [['top', '--interval', '99999999'], 'It must be 1 to 86400 seconds.'],
    [['hostd', '--config'], "option '--config <file>' argument missing"],
    [['help', 'statu'], "unknown command 'statu' (Did you mean one of stats, status?)"],
    [['help', 'status', 'now'], "too many arguments for 'help'."],
  ])('%j', async (args, message) => {
    const { code, out, err } = await prewake(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(err).toMatch(/^prewake: .* \(PREWAKE_(USAGE|CONFIG)\)\n$/);
  });

  it('so is a wrong configuration', async () => {
    const file = join(dir, 'hostd.yaml');
    writeFileSync(file, 'guards:\n  idle: no\n');
    expect(await prewake(['hostd', '--config', file, '--socket', join(dir, 's')])).toEqual({
      code: 2,
      out: '',
      err: `prewake: ${file}:2: guards.idle must be one of auto, idle.cpu, idle.global, idle.state, off, not "no" (PREWAKE_CONFIG)\n`,
    });
  });
});

describe('help and version', () => {
  it('go to stdout, with exit code 0', async () => {
    const { code, out, err } = await prewake(['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const name of ['hostd', 'status', 'events', 'pause', 'doctor', 'restore', 'help'])
      expect(out).toContain(name);
    expect(await prewake(['help'])).toEqual({ code, out, err });
    const ofPause = await prewake(['pause', '--help']);
    expect(ofPause).toMatchObject({ code, out: expect.stringContaining('prewake pause'), err });
    expect(await prewake(['help', 'pause'])).toEqual(ofPause);
    expect(await prewake(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe('without hostd', () => {
  it('says so, with exit code 3', async () => {
    const socket = join(dir, 'none.sock');
    expect(await prewake(['status', '--json', '--socket', socket])).toEqual({
      code: 3,
      out: '',
      err: `prewake: hostd is not running: nothing listens on ${socket} (prewake hostd starts it) (PREWAKE_NOT_RUNNING)\n`,
    });
  });

  it('tells a socket that a dead one left from no socket', async () => {
    const hostd = new RunningHostd();
    try {
      await hostd.start();
      await hostd.end('SIGKILL');
      expect(await prewake(['status', '--socket', hostd.socket])).toMatchObject({ code: 3 });
    } finally {
      await hostd.remove();
    }
  });

  it('tells a hostd that is stopped from none', async () => {
    const hostd = new RunningHostd();
    try {
      await hostd.start();
      hostd.child?.kill('SIGSTOP');
      const { code, err } = await prewake(['status', '--socket', hostd.socket]);
      expect(code).toBe(3);
      expect(err).toContain('PREWAKE_NO_ANSWER');
    } finally {
      await hostd.remove();
    }
  });

  it('doctor looks for itself, and prints nothing but JSON', async () => {
    const { code, out, err } = await prewake(['doctor', '--json', '--socket', join(dir, 'none.sock')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const diagnosis = JSON.parse(out);
    expect(diagnosis).toMatchObject({
      hostd: { running: false, code: 'PREWAKE_NOT_RUNNING' },
      probedBy: 'doctor',
    });
    expect(diagnosis.machine.map(({ name }: { name: string }) => name)).toContain('kernel BTF');
    for (const part of ['guards', 'categories'])
      expect(diagnosis.capabilities[part].length).toBeGreaterThan(0);
  });

  it('restore finds nothing to do', async () => {
    const { code, out } = await prewake([
      'restore',
      '--json',
      '--runtime-dir',
      dir,
      '--socket',
      join(dir, 's'),
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ entries: [] });
  });
});
