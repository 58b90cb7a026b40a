import { expect, it } from 'vitest';
import { CONTEXTS } from './contexts.ts';
import { BINS } from './grid.ts';
import { medianOf } from './histogram.ts';
import { Predictor } from './predictor.ts';

it('a session’s own context follows its last ten waits, and those that outlive it forget slowly', () => {
  const predictor = new Predictor({ maxClasses: 100, maxSessions: 100 });
  const hazards = new Float64Array(BINS + 1);
  const wait = (us: number) => {
    const prediction = predictor.start('s', 'tool', 'Grep', undefined);
    predictor.predict(prediction, hazards);
    predictor.learn(prediction, us, hazards);
    predictor.note(prediction, us);
    return prediction.keys;
  };
  for (let i = 0; i < 100; i++) wait(20_000);
  let keys = wait(2e6);
  for (let i = 1; i < 12; i++) keys = wait(2e6);
  const median = (context: (typeof CONTEXTS)[number]) => {
    const slot = predictor.slots.use(keys[CONTEXTS.indexOf(context)] as number);
    return slot ? medianOf(slot.histogram) : Number.NaN;
  };
  expect(median('session')).toBeGreaterThan(1e6);
  expect(median('previous')).toBeLessThan(40_000);
});
