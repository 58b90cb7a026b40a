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
  return { at, looks, reports, timer };
}

it('looks for the end of a step where hostd is awake anyway, but not too soon', async () => {
  const { at, looks } = reportsOfOne();
  await at(2499, true);
  expect(looks).toEqual([]);
  await at(2500, true);
  expect(looks).toEqual([2500]);
  await at(3000, true);
  await at(5000, true);
  expect(looks).toEqual([2500, 5000]);
});

it('wakes for it where nothing else does, until it is given up', async () => {
  const { at, looks, timer } = reportsOfOne();
  for (let i = 0; i < 3; i++) await at((timer.due as number) - 1_000_000);
  expect(looks).toEqual([50_000, 100_000, 155_000]);
  // Attribution has told what it knows: nothing is waited for but the agent, for whom the report is.
  expect(timer.due).toBeUndefined();
});

it('sends a report by itself only where the agent says nothing meanwhile', async () => {
  const { at, reports, timer } = reportsOfOne();
  await at(155_000, true);
  const sent: number[] = [];
  const session = { id: 's1', sendWhenAwake() {}, flush: () => sent.push(1) } as unknown as Session;
  reports.stepEnding(session, 'f'.repeat(16));
  reports.agentAwake(session);
  expect(timer.due).toBeUndefined();
  reports.stepEnding(session, 'f'.repeat(16));
  await at((timer.due as number) - 1_000_000);
  expect(sent).toEqual([1]);
});
