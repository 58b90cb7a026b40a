import { expect, test } from 'vitest';
import { modelName, pickLatency, readLatencies } from './latency.ts';

test('the measured latencies are all there, and all are figures', () => {
  const rows = readLatencies();
  expect(rows).toHaveLength(1409);
  expect(rows.every((row) => row.ttftMs > 0 && row.interTokenMs > 0)).toBe(true);
  expect(new Set(rows.map(modelName))).toContain('together/llama-2-70b-chat');
});

test('the same seed picks the same latencies, another seed picks others, and all rows come up', () => {
  const rows = Array.from({ length: 20 }, (_, index) => index);
  const picks = (seed: number) => Array.from({ length: 400 }, (_, turn) => pickLatency(rows, seed, turn));
  expect(picks(1)).toEqual(picks(1));
  expect(picks(1)).not.toEqual(picks(2));
  expect(new Set(picks(1)).size).toBe(rows.length);
});

test('there is nothing to pick from no rows', () => {
  expect(() => pickLatency([], 1, 0)).toThrow(RangeError);
});
