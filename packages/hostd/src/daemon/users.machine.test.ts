import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { ARMS_ALWAYS } from './arms-always.testkit.ts';
import { loadConfig } from './config-load.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { ask, step, stepId, WireClient, wait } from './wire-client.testkit.ts';

const NOBODY = 65_534;
const clientFile = fileURLToPath(new URL('../../../../examples/python-client/prewake.py', import.meta.url));
const isRoot = process.getuid?.() === 0;
const dir = mkdtempSync(join(tmpdir(), 'prewake-users-'));
let daemon: Daemon;

beforeAll(async () => {
  chmodSync(dir, 0o755);
  const file = join(dir, 'hostd.yaml');
  writeFileSync(file, ARMS_ALWAYS);
  const flags = { config: file, socket: join(dir, 'hostd.sock'), stateDir: dir };
  const config = await loadConfig(flags, { env: {}, root: true, cpus: 2 });
  daemon = await startDaemon(config, { dryRun: true, log: () => {} });
});
afterAll(async () => {
  await daemon.stop('end of test');
  rmSync(dir, { recursive: true, force: true });
});

interface Run {
  code: number | null;
  out: string;
  err: string;
}

function run(program: string, args: readonly string[]): Promise<Run> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const run: Run = { code: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    run.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    run.err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...run, code }));
  });
}

/** For setpriv: a user that has nothing to do with hostd. */
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const curlArgs = (path: string) => [
  'curl',
  '-sSN',
  '--unix-socket',
  daemon.socketPath,
  `http://hostd${path}`,
];
const curl = (path: string, ...args: string[]) => run('setpriv', [...AS_NOBODY, ...curlArgs(path), ...args]);

function needsRoot(ctx: TestContext): void {
  if (!isRoot) ctx.skip('not root: no other user to be');
}

describe('another user', () => {
  it('sees its own alone, and what belongs to the host', async (ctx) => {
    needsRoot(ctx);
    const client = await WireClient.connect(daemon.socketPath);
    const id = stepId();
    client.send(step(id), wait(1, id));
    await client.sync();
    const mine = JSON.parse((await ask(daemon.socketPath, '/v1/sessions')).body);
    expect(mine.sessions).toHaveLength(1);

    const told = async (path: string) => JSON.parse((await curl(path)).out);
    expect((await ask(daemon.socketPath, '/metrics')).body).toContain('bucket="user:0"');
    const { out } = await curl('/metrics');
    expect(out).toContain('bucket="host"');
    expect(out).not.toContain('bucket="user:0"');
    expect(await told('/v1/sessions')).toEqual({ sessions: [] });
    expect(await told('/v1/leases')).toEqual({ leases: [] });
    expect(await told('/v1/classes')).toEqual({ classes: [] });
    expect((await told('/v1/budgets')).buckets.map(({ bucket }: { bucket: string }) => bucket)).toEqual([
      'host',
    ]);
    expect(await told('/v1/classes?user=0')).toMatchObject({ error: { code: 'PREWAKE_FORBIDDEN' } });
    await client.end();
  });

  it('may neither pause nor resume', async (ctx) => {
    needsRoot(ctx);
    for (const path of ['/v1/pause', '/v1/resume'])
      expect(JSON.parse((await curl(path, '-X', 'POST')).out)).toMatchObject({
        error: { code: 'PREWAKE_FORBIDDEN' },
      });
    expect(JSON.parse((await ask(daemon.socketPath, '/v1/status')).body)).toMatchObject({ paused: false });
  });

  it('hears no event of others', async (ctx) => {
    needsRoot(ctx);
    const listener = spawn('setpriv', [...AS_NOBODY, ...curlArgs('/v1/events')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    listener.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await expect.poll(() => text, { timeout: 30_000 }).toContain(': prewake');
    // What is nobody's has to get through, what is root's must not. It comes in order: what root did before the last
    // pause would be there before it.
    for (let round = 0; round < 20; round++) {
      const client = await WireClient.connect(daemon.socketPath);
      const id = stepId();
      client.send(step(id), wait(1, id));
      await client.sync();
      await client.end();
      await ask(daemon.socketPath, '/v1/pause', 'POST');
      await ask(daemon.socketPath, '/v1/resume', 'POST');
    }
    const resumed = () => text.match(/^event: resumed$/gm)?.length;
    await expect.poll(resumed, { timeout: 30_000 }).toBe(20);
    listener.kill();
    await once(listener, 'close');
    const types = new Set([...text.matchAll(/^event: (.*)$/gm)].map(([, type]) => type));
    // What the host's controls and its own bucket do is for everyone.
    expect([...types].filter((type) => type !== 'guard' && type !== 'budget').sort()).toEqual([
      'paused',
      'resumed',
    ]);
    expect(text).not.toMatch(/user:0|cgroup:|"tgid"|"s\d+/);
  });

  it('has sessions of its own', async (ctx) => {
    needsRoot(ctx);
    const agent = await startAgent(ctx, 'setpriv', ...AS_NOBODY);
    const [seen] = JSON.parse((await curl('/v1/sessions')).out).sessions;
    expect(seen).toMatchObject({ uid: NOBODY, pid: agent.child.pid });
    const buckets = JSON.parse((await curl('/v1/budgets')).out).buckets as { bucket: string }[];
    expect(buckets.map(({ bucket }) => bucket)).not.toContain('user:0');
    await agent.end();
  });
});

describe('an agent in a pid namespace of its own', () => {
  it('is who it is outside, and so is the thread that it names', async (ctx) => {
    needsRoot(ctx);
    const agent = await startAgent(ctx, 'unshare', '--pid', '--fork', '--mount-proc');
    expect(agent.said.pid).toBe(1);
    const { sessions } = JSON.parse((await ask(daemon.socketPath, '/v1/sessions')).body);
    const pid = sessions[0].pid as number;
    expect(pid).not.toBe(1);
    const others = readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .filter((tid) => tid !== pid);
    expect(others).toHaveLength(1);
    expect(others[0]).not.toBe(agent.said.thread);
    const held = async () => {
      const { leases } = JSON.parse((await ask(daemon.socketPath, '/v1/leases')).body);
      return leases
        .filter(({ target }: { target: { type: string } }) => target.type === 'task')
        .map(({ target }: { target: { tgid: number; tid: number } }) => [target.tgid, target.tid]);
    };
    await expect.poll(held, { timeout: 30_000, interval: 5 }).toContainEqual([pid, others[0]]);
    await agent.end();
  });
});

/** Waits for known times in a thread of its own, again and again, until its stdin ends. */
const AGENT = `
import os, sys, threading, time
def work(session, ready):
    step = session.step("tool", "sleep")
    print(os.getpid(), threading.get_native_id(), flush=True)
    while True:
        wait = session.wait(step, "timer", "sleep", deadline=now_us() + 30000)
        time.sleep(0.03)
        session.wait_end(wait)
threading.Thread(target=work, args=(Session(sys.argv[1]), None), daemon=True).start()
sys.stdin.read()
`;

/** An agent that knows nothing of Node, started by another program: \`setpriv …\`, \`unshare …\`. */
async function startAgent(ctx: TestContext, program: string, ...args: string[]) {
  const source = `${readFileSync(clientFile, 'utf8')}\n${AGENT}`;
  // Not from a file: this checkout may be closed to other users.
  const child = spawn(program, [...args, '/usr/bin/python3', '-c', source, daemon.socketPath], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    ended.then(() => undefined),
  ]);
  if (line === undefined) ctx.skip(`${program} cannot start an agent here: ${errors.trim()}`);
  const [pid, thread] = (line as string).split(' ').map(Number);
  return {
    child,
    said: { pid, thread },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}
