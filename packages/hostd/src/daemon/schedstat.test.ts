import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { KERNEL_CATEGORIES, type ReportFrame } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningHostd } from '../cli/prewake.testkit.ts';
import { SchedstatRecorder } from '../kernel/schedstat-recorder.ts';
import { ask } from './wire-client.testkit.ts';

/** An agent with one step that needs 200 ms of its CPU. It reads its thread's own counters around it, and within it. */
const AGENT = `
import { readFileSync } from 'node:fs';
import { step, stepId, WireClient } from ${JSON.stringify(fileURLToPath(new URL('./wire-client.testkit.ts', import.meta.url)))};
import { monotonicMicros } from '@prewake/sdk/protocol';

const waited = () => Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'utf8').split(' ')[1]);
const before = waited();
const client = await WireClient.connect(process.argv[1]);
await client.frame('welcome');
const id = stepId();
client.send(step(id));
await client.sync();
// hostd has read the counters for the step once it answers a later turn.
await client.sync();
const begun = waited();
const { user, system } = process.cpuUsage();
for (;;) {
  const used = process.cpuUsage({ user, system });
  if (used.user + used.system >= 200_000) break;
}
const done = waited();
client.send({ type: 'step_end', id, at: monotonicMicros() });
const report = await client.frame('report');
console.log(JSON.stringify({ report, within: done - begun, around: waited() - before }));
await client.end();
`;

describe.skipIf(!SchedstatRecorder.available())('with schedstat as its source (CONFIG_SCHED_INFO)', () => {
  const hostd = new RunningHostd();
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    const file = join(hostd.dir, 'hostd.yaml');
    writeFileSync(file, 'recorder: {source: schedstat}\n');
    await hostd.start(['--dry-run', '--config', file]);
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await hostd.remove();
  });

  it('hostd reports how long a step was kept from its CPU, and nothing that it does not know', async () => {
    const cpu = /^Cpus_allowed_list:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
    const pinned = (...command: string[]): ChildProcess => {
      const child = spawn('taskset', ['-c', cpu, ...command], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      return child;
    };
    pinned('sh', '-c', 'while :; do :; done');
    const node = [process.execPath, '--conditions=@prewake/source', '--input-type=module', '-e', AGENT];
    const agent = pinned(...node, hostd.socket);
    const lines = createInterface({ input: agent.stdout as NodeJS.ReadableStream });
    const said = (await lines[Symbol.asyncIterator]().next()).value as string;
    const { report, within, around } = JSON.parse(said) as {
      report: ReportFrame;
      within: number;
      around: number;
    };

    expect(within).toBeGreaterThan(0);
    expect(report).toMatchObject({ source: 'schedstat', complete: true });
    expect(report.self.runqueue).toBeGreaterThanOrEqual(within);
    // A sum from before the step, or beyond it, can't be cut: an upper bound, which is said to be one.
    expect(report.self.runqueue).toBeLessThanOrEqual(around);
    if ((report.self.runqueue as number) > within) expect(report.shared?.candidates).toBe(1);
    expect(report.cpuNs).toBeGreaterThanOrEqual(190_000_000);
    const others = KERNEL_CATEGORIES.filter((category) => category !== 'runqueue');
    expect(Object.keys(report.self)).toEqual(['runqueue']);
    expect([...report.unknown].sort()).toEqual([...others].sort());
    expect(Object.keys(report.counts ?? {}).filter((name) => name !== 'slice.shared')).toEqual([]);
    expect(report.wakeups).toEqual({ total: 0, covered: 0, missed: 0 });
    expect(report.inclusive ?? {}).toEqual({});

    const { categories, recorder } = JSON.parse((await ask(hostd.socket, '/v1/capabilities')).body);
    expect(recorder).toEqual({ source: 'schedstat', reason: 'switched off' });
    expect(categories).toEqual(
      KERNEL_CATEGORIES.map((category) => ({
        category,
        tier: category === 'runqueue' ? 'counters' : 'unavailable',
        reason: 'switched off',
      })),
    );
  });
});
