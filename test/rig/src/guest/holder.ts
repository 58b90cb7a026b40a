// A hostd's worth of guards in a process of its own, to be killed, stopped and stalled: `node holder.js RUNTIME_DIR
// TASK_JSON`. It arms at once, and again whenever its leases were voided, and prints what happens as lines of JSON. A
// line on standard input blocks its event loop for that many milliseconds.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGuardController } from '../../../../packages/hostd/dist/guards/index.js';
import { only, wish } from './guard-kit.ts';

const [runtimeDir = '', task = '{}'] = process.argv.slice(2);
const say = (message: object) => writeSync(1, `${JSON.stringify(message)}\n`);
const guards = await createGuardController({
  runtimeDir,
  config: {
    ...only('idle.cpu'),
    frequency: 'frequency.policy',
    scheduler: 'scheduler.slice',
    timer: 'timer.slack',
  },
});
const arm = () => {
  if (guards.leases().length > 0) return;
  guards.arm(wish({ cpus: [0, 1], tasks: [JSON.parse(task)] }));
  if (guards.leases().length > 0) say({ armed: true });
  else setTimeout(arm, 100);
};
guards.onEvent = (event) => {
  say(event);
  if (event.type === 'void') setTimeout(arm, 100);
};
say({
  mode: guards.mode,
  reason: guards.reason,
  guardian: guards.guardianPid,
  replayed: guards.replayed.entries,
});
arm();
createInterface({ input: process.stdin }).on('line', (line) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(line));
});
