// A process that arms and releases through the real lease controller, and ends itself by SIGKILL before or after its
// n-th write: `node victim.js RUNTIME_DIR CONFIG [fork]`, one order a line on standard input.
//
// With `fork`, each order is carried out by a forked copy that has everything loaded, because starting Node for each of
// some hundred kills takes minutes here. It is a process of its own with a pid of its own; V8 must have no threads
// (`--single-threaded --v8-pool-size=0`), as only the forking thread lives on in the copy.
import { readFileSync, readSync, writeSync } from 'node:fs';
import { createGuardController } from '../../../../packages/hostd/dist/guards/index.js';
import type { WriteOp } from '../../../../packages/hostd/dist/kernel/writer.js';
import { forkProcess, waitForProcess } from './fork.ts';
import { monotonicMicros } from './machine.ts';
import type { VictimOrder } from './victims.ts';

const [runtimeDir = '', config = '{}', mode = ''] = process.argv.slice(2);

function readOrder(): VictimOrder | undefined {
  const line = Buffer.alloc(1024);
  const length = readSync(0, line);
  return length === 0 ? undefined : JSON.parse(line.toString('utf8', 0, length));
}

async function carryOut({ killAt, phase, task }: VictimOrder): Promise<void> {
  const ops: WriteOp[] = [];
  const tap = {
    before(op: WriteOp) {
      ops.push(op);
      if (phase === 'before' && ops.length - 1 === killAt) process.kill(process.pid, 'SIGKILL');
    },
    after() {
      if (phase === 'after' && ops.length - 1 === killAt) process.kill(process.pid, 'SIGKILL');
    },
  };
  const controller = await createGuardController({
    runtimeDir,
    config: JSON.parse(config),
    guardian: false,
    tap,
  });
  const events: unknown[] = [];
  controller.onEvent = (event) => events.push(event);
  const expiresAt = monotonicMicros() + 60e6;
  const loose = { owner: 's1', reason: 'first', cpus: [1], tasks: [task], latencyUs: 60, expiresAt };
  const strict = { owner: 's2', reason: 'stricter', cpus: [0, 1], tasks: [], latencyUs: 10, expiresAt };
  const one = controller.arm(loose);
  const two = controller.arm(strict);
  forkTask(task.tgid);
  controller.release(two);
  controller.release(one);
  controller.close();
  const report = { ops, events, mode: controller.mode, reason: controller.reason };
  writeSync(1, `${JSON.stringify(report)}\n`);
}

/** A child that the task forks while it is armed inherits its controls. Blocks: a forked copy has no event loop. */
function forkTask(pid: number): void {
  const children = `/proc/${pid}/task/${pid}/children`;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  process.kill(pid, 'SIGUSR1');
  for (let i = 0; i < 2000 && readFileSync(children, 'utf8') === ''; i++) Atomics.wait(pause, 0, 0, 5);
}

let order = readOrder();
if (order !== undefined && mode === 'fork') {
  // Once to the end in this process: the copies have their code compiled then.
  await carryOut({ ...order, killAt: -1 });
}
while (order !== undefined && mode === 'fork') {
  const pid = forkProcess();
  if (pid === 0) break;
  writeSync(1, `${JSON.stringify(waitForProcess(pid))}\n`);
  order = readOrder();
}
if (order !== undefined) {
  await carryOut(order);
  process.kill(process.pid, mode === 'fork' ? 'SIGKILL' : 0);
}
