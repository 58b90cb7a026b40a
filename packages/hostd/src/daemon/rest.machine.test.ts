import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { expect, it } from 'vitest';
import { RunningHostd } from '../cli/prewake.testkit.ts';
import { ask, step, stepId, WireClient, wait } from './wire-client.testkit.ts';

/** How often the threads of a process have gone to sleep by themselves: each time, something had woken them. */
function sleeps(pid: number): number {
  let total = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`))
    total += Number(
      /^voluntary_ctxt_switches:\s+(\d+)/m.exec(
        readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1'),
      )?.[1],
    );
  return total;
}

it('hostd and its guardian sleep once sessions have come and gone', async () => {
  const hostd = new RunningHostd();
  const file = join(hostd.dir, 'hostd.yaml');
  writeFileSync(file, 'recorder: {detachAfterMs: 100}\n');
  // Not dry: the guardian, the journal and the guards are what could go on waking.
  await hostd.start(['--config', file]);
  try {
    for (let round = 0; round < 3; round++) {
      const client = await WireClient.connect(hostd.socket);
      const id = stepId();
      client.send(step(id), wait(1, id, { kind: 'timer', deadline: monotonicMicros() + 20_000 }));
      await sleep(30);
      client.send({ type: 'wait_end', id: 1, at: monotonicMicros() });
      client.send({ type: 'step_end', id, at: monotonicMicros() });
      await client.frame('report', (report) => report.step === id);
      await client.end();
    }
    const status = async () => JSON.parse((await ask(hostd.socket, '/v1/status')).body);
    await expect
      .poll(async () => (await status()).recorder.attached, { timeout: 20_000, interval: 500 })
      .toBe(false);
    const { guardianPid } = await status();
    const pids = [hostd.child?.pid as number, ...(guardianPid === undefined ? [] : [guardianPid as number])];
    // A timer that goes on for ever wakes at least once a second; what is left of the work before ends by itself.
    const quiet = async () => {
      const before = pids.map(sleeps);
      await sleep(10_000);
      return pids.map((pid, index) => sleeps(pid) - (before[index] as number));
    };
    const woken = await quiet();
    if (Math.max(...woken) > 3) expect(Math.max(...(await quiet()))).toBeLessThanOrEqual(3);
  } finally {
    await hostd.remove();
  }
}, 60_000);
