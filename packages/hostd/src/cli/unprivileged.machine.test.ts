import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { ask } from '../daemon/wire-client.testkit.ts';
import { launcher, launcherFlags } from '../launcher.ts';

const NOBODY = 65_534;

it('a hostd without root observes, says so once and why, and records by what it may read', async (ctx) => {
  if (process.getuid?.() !== 0) ctx.skip('not root: no other user to be');
  const home = mkdtempSync(join(tmpdir(), 'prewake-nobody-'));
  const runtime = join(home, 'run');
  mkdirSync(runtime, { mode: 0o777 });
  for (const dir of [home, runtime]) chmodSync(dir, 0o777);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const node = [process.execPath, ...launcherFlags(), launcher];
  const child = spawn('setpriv', [...nobody, ...node, 'hostd'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: runtime },
  });
  const ended = once(child, 'exit');
  const said: string[] = [];
  try {
    for await (const line of createInterface(child.stderr)) {
      said.push(line);
      if (line.startsWith('records by')) break;
    }
    if (/EACCES|Cannot find module/.test(said.join())) ctx.skip('this checkout is closed to other users');
    expect(said.filter((line) => line.startsWith('observes only:'))).toHaveLength(1);
    expect(said.find((line) => line.startsWith('observes only:'))).toContain(`uid ${NOBODY}`);
    expect(said.at(-1)).toMatch(/^records by schedstat: needs CAP_BPF/);

    const socket = join(runtime, 'prewake', 'hostd.sock');
    expect(statSync(socket).uid).toBe(NOBODY);
    const { guards, recorder } = JSON.parse((await ask(socket, '/v1/capabilities')).body);
    expect(recorder).toMatchObject({ source: 'schedstat', reason: expect.stringContaining('CAP_BPF') });
    expect(guards.filter((guard: { chosen: boolean }) => guard.chosen)).toEqual([]);
    expect(JSON.parse((await ask(socket, '/v1/status')).body)).toMatchObject({ mode: 'observe' });
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
});
