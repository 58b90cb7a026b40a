import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultConfig, type HostFacts } from './config.ts';
import { configFiles, loadConfig } from './config-load.ts';
import { schemaUrl } from './config-schema.ts';

const host: HostFacts = {
  env: { HOME: '/nowhere', XDG_RUNTIME_DIR: '/run/user/1000' },
  root: false,
  cpus: 2,
};
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(dir, 'hostd.yaml');
  writeFileSync(path, text);
  return path;
}
const load = (text: string) => loadConfig({ config: file(text) }, host);

describe('loadConfig', () => {
  it('is the defaults where no file says anything', async () => {
    expect(await loadConfig({}, host)).toEqual(defaultConfig(host));
    expect(await load('# nothing\n')).toEqual({ ...defaultConfig(host), file: join(dir, 'hostd.yaml') });
    expect((await load('policy:\n  # armedShare: 0.2\n')).policy).toEqual(defaultConfig(host).policy);
  });

  it('takes what the file says and keeps the rest', async () => {
    const config = await load(
      'sessions: {maxPerUser: 3}\nguards: {cpus: "0,2-3", placement: on, timer: timer.slack}\npolicy: {holdout: 0}\n',
    );
    expect(config.sessions).toEqual({ ...defaultConfig(host).sessions, maxPerUser: 3 });
    expect(config.guards.cpus).toEqual([0, 2, 3]);
    expect(config.guards.placement).toBe('placement');
    expect(config.guards.timer).toBe('timer.slack');
    expect(config.policy.holdout).toBe(0);
    expect(config.policy.leadUs).toBe(1000);
  });

  it('completes the limits of single users and cgroups', async () => {
    const { budget } = await load(`budget:
  user: {capacity: 7}
  users: {"1000": {refillPerSecond: 5}}
  cgroups: [{pattern: /user.slice/**, limit: {recovery: 1}}]
`);
    const cgroup = defaultConfig(host).budget.cgroup;
    expect(budget.users).toEqual({ 1000: { refillPerSecond: 5, capacity: 7, recovery: 0.25 } });
    expect(budget.cgroups).toEqual([{ pattern: '/user.slice/**', limit: { ...cgroup, recovery: 1 } }]);
  });

  it('lets flags win over the environment, and that over the file', async () => {
    const config = file('socket: /file.sock\nlogLevel: debug\nmetrics: {listen: "127.0.0.1:1"}\n');
    const env = { ...host.env, PREWAKE_SOCKET: '/env.sock' };
    expect((await loadConfig({ config }, host)).socket).toBe('/file.sock');
    expect((await loadConfig({ config }, { ...host, env })).socket).toBe('/env.sock');
    const flags = { config, socket: '/f/s', logLevel: 'warn', metricsListen: '[::1]:9464' } as const;
    const flagged = await loadConfig(flags, { ...host, env });
    expect(flagged).toMatchObject({ socket: '/f/s', runtimeDir: '/f', logLevel: 'warn' });
    expect(flagged.metrics.listen).toEqual({ host: '::1', port: 9464 });
  });

  it('reads a flag’s directory from where it was said', async () => {
    const flagged = await loadConfig({ runtimeDir: 'run', stateDir: '../state' }, host);
    expect(flagged).toMatchObject({ runtimeDir: resolve('run'), stateDir: resolve('../state') });
  });

  it('finds the file of the user before that of the system, and only the latter as root', async () => {
    const env = { XDG_CONFIG_HOME: dir, XDG_RUNTIME_DIR: dir };
    expect(configFiles({ env, root: false })).toEqual([
      join(dir, 'prewake/hostd.yaml'),
      '/etc/prewake/hostd.yaml',
    ]);
    expect(configFiles({ env, root: true })).toEqual(['/etc/prewake/hostd.yaml']);
    mkdirSync(join(dir, 'prewake'));
    writeFileSync(join(dir, 'prewake/hostd.yaml'), 'logLevel: error\n');
    expect((await loadConfig({}, { ...host, env })).logLevel).toBe('error');
  });

  it('rounds the ring up to a power of two', async () => {
    expect((await load('recorder: {ringBytes: 100000}')).recorder.ringBytes).toBe(131_072);
  });

  it('has single faults and calls recorded where it is told to', async () => {
    expect((await load('{}')).recorder.events).toBe('requests');
    expect((await load('recorder: {events: all}')).recorder.events).toBe('all');
    await expect(load('recorder: {events: none}')).rejects.toThrow('must be one of requests, all');
  });
});

describe('a bad configuration is one line: where, which key, what is wrong, what is allowed', () => {
  it.each([
    ['budget:\n  host:\n    capacity: lots', ':3: budget.host.capacity must be a number, not "lots"'],
    ['budget:\n  host: {capacity: -1}', ':2: budget.host.capacity must be from 0 to 1000000000, not -1'],
    [
      'guards:\n  idle: no',
      ':2: guards.idle must be one of auto, idle.cpu, idle.global, idle.state, off, not "no"',
    ],
    ['metrics:\n  listn: x', ':2: metrics.listn is not a key; allowed here: listen'],
    ['metrics:\n  listen: x', ':2: metrics.listen must be like 127.0.0.1:9464, not "x"'],
    [
      'metrics: {listen: "h:99999"}',
      ': metrics.listen must be HOST:PORT such as 127.0.0.1:9464, port 0 to 65535, not "h:99999"',
    ],
    ['guards: {cpus: 3-1}', ': guards.cpus must be all or a list such as 0-3,8, not "3-1"'],
    ['guards: {cpus: -1}', ':1: guards.cpus must be at least 0, not -1'],
    ['socket: rel', ':1: socket must be like /an/absolute/path, not "rel"'],
    ['runtimeDir: rel', ':1: runtimeDir must be like /an/absolute/path, not "rel"'],
    ['budget:\n  users:\n    bob: {}', ':3: budget.users.bob is not a key; allowed here: keys like 1000'],
    ['budget:\n  cgroups:\n    - limit: {}', ':3: budget.cgroups[0] lacks pattern'],
    ['sessions:\n  max: 1.5', ':2: sessions.max must be a whole number, not 1.5'],
    ['sessions: 3', ':1: sessions must be a section of keys, not 3'],
    ['- 1', ':1: the file must be a section of keys, not [1]'],
    ['logLevel: info\nlogLevel: warn', ':2: not valid YAML: Map keys must be unique'],
    ['a: *b', ': not valid YAML: Unresolved alias (the anchor must be set before the alias): b'],
  ])('%j', async (text, message) => {
    const expected = { code: 'PREWAKE_CONFIG', message: join(dir, 'hostd.yaml') + message };
    await expect(load(text)).rejects.toMatchObject(expected);
  });

  it('a file that is named must exist', async () => {
    const missing = loadConfig({ config: '/no/such.yaml' }, host);
    await expect(missing).rejects.toMatchObject({ message: '/no/such.yaml: cannot be read (ENOENT)' });
  });

  it('a socket must have a place, and fit into the kernel’s address', async () => {
    const nowhere = loadConfig({}, { ...host, env: {} });
    await expect(nowhere).rejects.toMatchObject({ code: 'PREWAKE_CONFIG' });
    await expect(loadConfig({ socket: '/x' }, { ...host, env: {} })).resolves.toMatchObject({ socket: '/x' });
    const long = loadConfig({ socket: `/${'x'.repeat(107)}` }, host);
    await expect(long).rejects.toThrow('socket must be at most 107 bytes long (a kernel limit), not 108');
  });
});

interface Schema {
  properties?: Record<string, Schema>;
  default?: unknown;
  description?: string;
  $ref?: string;
  $defs?: Record<string, Schema>;
}

describe('the published schema', () => {
  const schema: Schema = JSON.parse(readFileSync(schemaUrl, 'utf8'));
  const resolve = (part: Schema): Schema =>
    part.$ref ? { ...schema.$defs?.[part.$ref.split('/').at(-1) as string], ...part } : part;

  it('is a schema, in the strictest reading', () => {
    expect(() => new Ajv2020({ allowUnionTypes: true }).compile(schema)).not.toThrow();
  });

  it('has the keys of the configuration, each described, and its defaults', () => {
    const { file: _, ...config } = defaultConfig(host);
    compare(schema, config, '');
  });

  function compare(part: Schema, value: unknown, key: string): void {
    const { properties, default: byDefault, description } = resolve(part);
    expect(description, key).toBeTruthy();
    if (!properties) {
      if (byDefault !== undefined) expect(value, key).toEqual(byDefault);
      return;
    }
    expect(Object.keys(properties).sort(), key).toEqual(Object.keys(value as object).sort());
    for (const [name, below] of Object.entries(properties))
      compare(below, (value as Record<string, unknown>)[name], `${key}.${name}`);
  }
});
