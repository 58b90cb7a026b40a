/**
 * For tests: a process that holds guards, to be killed or stopped. Takes its wishes as JSON in the first argument,
 * prints a JSON line for each thing that happens, and arms at each line on its standard input.
 */
import { createInterface } from 'node:readline';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { createGuardController, type GuardControllerOptions } from './create.ts';
import type { WindowRequest } from './guard.ts';

const wishes: GuardControllerOptions & { windows: Partial<WindowRequest>[] } = JSON.parse(
  process.argv[2] as string,
);
const say = (message: object) => console.log(JSON.stringify(message));
const guards = await createGuardController(wishes);
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
