import { expect, test } from 'vitest';
import { FixtureClock } from './fixture-clock.testkit.ts';
import { Watch } from './watch.ts';

test('rests after a pause, also where something was refused meanwhile for lack of a guardian', () => {
  const clock = new FixtureClock();
  const told: string[] = [];
  const guardian = {
    alive: true,
    listens: true,
    beat: () => told.push('beat') > 0,
    idle: () => void told.push('idle'),
  };
  const watch = new Watch({
    ...{ clock, guardian, journal: undefined },
    signature: () => '',
    onVoid: () => {},
    onTick: () => {},
  });
  expect(watch.ready(clock.now())).toBe(true);
  watch.rest();
  clock.advance(100_000);
  guardian.alive = false;
  expect(watch.ready(clock.now())).toBe(false);
  guardian.alive = true;
  clock.advance(60e6);
  expect(told.at(-1)).toBe('idle');
  expect(clock.timers).toBe(0);
});
