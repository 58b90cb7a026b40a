import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-setup-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Call {
  cwd?: string;
  env?: Record<string, string>;
}

function run(command: string, args: string[], { cwd = dir, env = {} }: Call = {}) {
  const { INIT_CWD: _, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...inherited, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('the set-up', () => {
  it('runs the command from any directory, with nothing but its answer on stdout', () => {
    const prefix = ['--prefix', root, 'run', '--silent', 'prewake', '--'];
    const { status, stdout } = run('npm', [...prefix, 'doctor', '--json', '--socket', join(dir, 'none')]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ hostd: { running: false } });
  });

  it('needs no network once it has run', (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('not root: the network cannot be taken away');
    const offline = [
      '--net',
      process.execPath,
      join(root, 'scripts/setup.mjs'),
      'prewake',
      '--',
      '--version',
    ];
    const { status, stdout, stderr } = run('unshare', offline);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('passes on the exit code of what it runs', () => {
    const status = ['prewake', '--', 'status', '--socket', join(dir, 'none')];
    expect(run(process.execPath, [join(root, 'scripts/setup.mjs'), ...status]).status).toBe(3);
  });

  it('names the tasks there are', () => {
    const { status, stderr } = run(process.execPath, [join(root, 'scripts/setup.mjs'), 'dance']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'set-up: no task "dance"; there are setup, demo, prewake, bench, test\n',
    });
  });

  it('says in one line which step failed and why', () => {
    const checkout = join(dir, 'checkout');
    for (const part of ['scripts', 'package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'])
      cpSync(join(root, part), join(checkout, part), { recursive: true });
    const { status, stdout, stderr } = run(process.execPath, ['scripts/setup.mjs', 'prewake'], {
      cwd: checkout,
      // Nothing listens on port 9.
      env: {
        npm_config_registry: 'http://127.0.0.1:9/',
        npm_config_cache: join(dir, 'cache'),
        npm_config_fetch_retries: '0',
      },
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    const [line = '', ...rest] = stderr
      .trimEnd()
      .split('\n')
      .filter((text) => !text.includes(' … '));
    expect(line).toMatch(/^set-up: installing npm packages failed \(exit \d+\): .*ECONNREFUSED/);
    expect(line).toContain('.cache/setup/installing-npm-packages.log');
    expect(rest).toEqual([]);
  });
});
