import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { NoRecorder } from '../kernel/no-recorder.ts';
import { A, end, start, step } from '../slowpath/attribution.testkit.ts';
import { Deadlines } from './deadlines.ts';
import { Reports } from './reports.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';

/** Reports of one session on a clock that stands still unless it is told to go on. */
function reportsOfOne() {
  const clock = { now: 1_000_000 };
  const timer = { due: undefined as number | undefined };
  const deadlines = new Deadlines(
    () => clock.now,
    (fire) => ({
      set: (due) => {
        timer.due = due;
        passed = fire;
      },
      clear: () => {
        timer.due = undefined;
      },
      close: () => {},
    }),
  );
  let passed = () => {};
  const looks: number[] = [];
  const recorder = Object.assign(new NoRecorder('a test'), {
    attached: true,
    drain: () => {
      looks.push(clock.now - 1_000_000);
      return { records: 0, lost: 0 };
    },
  });
  const { attribution, frames } = start();
  const sessions = new Sessions();
  const reports = new Reports({ recorder, attribution, sessions, deadlines, now: () => clock.now });
  frames(step(A, 900_000));
  reports.stepEnding({ id: 's1' } as Session, A);
  frames(end(A, 999_999));
  /** Time passes; `awake` where hostd is for another reason. */
  const at = async (us: number, awake = false) => {
    clock.now = 1_000_000 + us;
    if (awake) reports.whileAwake();
    else if (timer.due !== undefined && timer.due <= clock.now) {
      timer.due = undefined;
      passed();
    }
    await setImmediate();
    await setImmediate();
  };
  return { at, looks, timer };
}

it('looks for the end of a step where hostd is awake anyway, but not too soon', async () => {
  const { at, looks } = reportsOfOne();
  await at(999, true);
  expect(looks).toEqual([]);
  await at(1000, true);
  expect(looks).toEqual([1000]);
  await at(1500, true);
  await at(2000, true);
  expect(looks).toEqual([1000, 2000]);
});

it('wakes for it where nothing else does, ever less often, until it is given up', async () => {
  const { at, looks, timer } = reportsOfOne();
  for (let i = 0; i < 4; i++) await at((timer.due as number) - 1_000_000);
  expect(looks).toEqual([20_000, 40_000, 80_000, 155_000]);
  // Attribution has told what it knows: nothing is waited for but the agent, for whom the report is.
  expect(timer.due).toBeUndefined();
});
