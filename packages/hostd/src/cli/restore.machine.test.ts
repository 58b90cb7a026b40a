import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StatusAnswer } from './answers.ts';
import { prewake, RunningHostd } from './prewake.testkit.ts';

const CONTROLS = globSync('/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us').sort();
const read = () => CONTROLS.map((path) => readFileSync(path, 'utf8').trim());

const config = `
guards: {idle: idle.cpu, frequency: off, scheduler: off, timer: off}
policy: {armedShare: 1, holdout: 0}
budget:
  host: {refillPerSecond: 100000, capacity: 100000}
  user: {refillPerSecond: 100000, capacity: 100000}
  cgroup: {refillPerSecond: 100000, capacity: 100000}
`;

const before = read();
let hostd: RunningHostd;
/** A guardian that was stopped and is yet to be killed. */
let guardian = 0;
beforeEach(() => {
  hostd = new RunningHostd();
});
afterEach(async () => {
  await hostd.remove();
  if (guardian !== 0) process.kill(guardian, 'SIGKILL');
  // Whatever has failed: the machine is left as it was found.
  for (const [index, value] of read().entries())
    if (value !== before[index]) writeFileSync(CONTROLS[index] as string, before[index] as string);
});

async function ask<T>(name: string): Promise<T> {
  return JSON.parse((await prewake([name, '--json', '--socket', hostd.socket])).out) as T;
}

it('prewake restore puts back what a hostd that was killed together with its guardian left changed', async (ctx) => {
  if (process.getuid?.() !== 0) ctx.skip('not root: no control can be changed');
  if (CONTROLS.length === 0) ctx.skip('this kernel has no pm_qos_resume_latency_us');
  const file = join(hostd.dir, 'hostd.yaml');
  writeFileSync(file, config);
  await hostd.start(['--config', file]);
  const { mode, modeReason, guardianPid } = await ask<StatusAnswer>('status');
  if (mode !== 'arm') ctx.skip(`hostd may not arm here: ${modeReason}`);

  const agent = connect(hostd.socket);
  agent.write('GET /v1/session HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\n\r\n');
  const at = monotonicMicros();
  const frames = [
    { type: 'step', id: '00000000000000ab', kind: 'tool', key: 'x', at },
    { type: 'wait', id: 1, step: '00000000000000ab', kind: 'tool', key: 'x', at },
  ];
  try {
    await new Promise((resolve) => agent.once('data', resolve));
    agent.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
    await expect.poll(read, { timeout: 20_000 }).not.toEqual(before);

    // Stopped first: killed after hostd it would have its second to restore.
    guardian = guardianPid as number;
    process.kill(guardian, 'SIGSTOP');
    await hostd.end('SIGKILL');
    process.kill(guardian, 'SIGKILL');
    guardian = 0;
    expect(read()).not.toEqual(before);

    const { code, out, err } = await prewake([
      'restore',
      '--json',
      '--runtime-dir',
      hostd.dir,
      '--socket',
      hostd.socket,
    ]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { entries } = JSON.parse(out) as { entries: { guard: string; outcome: string }[] };
    expect(entries.map(({ guard }) => guard)).toContain('idle.cpu');
    for (const { outcome } of entries) expect(['restored', 'already']).toContain(outcome);
    expect(read()).toEqual(before);
  } finally {
    agent.destroy();
  }
});
