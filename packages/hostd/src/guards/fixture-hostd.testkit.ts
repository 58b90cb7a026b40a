/**
 * For tests: a process that holds guards, to be killed or stopped. Takes its wishes as JSON in the first argument,
 * prints a JSON line for each thing that happens, and arms at each line on its standard input.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { monotonicMicros } from '@prewake/sdk/protocol';
import type { SyscallTap } from '../kernel/writer.ts';
import type { ChildWishes } from './child-hostd.testkit.ts';
import { createGuardController } from './create.ts';

const wishes: ChildWishes = JSON.parse(process.argv[2] as string);
// Ends or stops this process before or after the n-th write, counted from 1.
const { kill } = wishes;
let writes = 0;
const tap: SyscallTap = {
  before(op) {
    writes++;
    say({ write: writes, ...op });
    if (kill?.at === writes && kill.when === 'before') process.kill(process.pid, kill.signal ?? 'SIGKILL');
  },
  after() {
    if (kill?.at === writes && kill.when === 'after') process.kill(process.pid, kill.signal ?? 'SIGKILL');
  },
};
function say(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
const guards = await createGuardController({ ...wishes, ...(kill ? { tap } : {}) });
guards.onEvent = say;
const arm = () => {
  for (const window of wishes.windows) {
    const hold = guards.arm({
      owner: 's1',
      reason: 'test',
      cpus: [],
      tasks: [],
      latencyUs: 0,
      expiresAt: monotonicMicros() + 600e6,
      ...window,
    });
    say({ hold });
  }
  say({ armed: true });
};
say({ mode: guards.mode, reason: guards.reason, guardian: guards.guardianPid, replayed: guards.replayed });
createInterface({ input: process.stdin })
  .on('line', arm)
  .on('close', () => guards.close());
