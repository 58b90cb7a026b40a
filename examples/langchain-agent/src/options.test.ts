import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

test('the defaults', () => {
  expect(readOptions([], {})).toMatchObject({ steps: 64, speed: 1, seed: 1, json: false });
  expect(readOptions([], { OPENAI_API_KEY: 'k' }).model).not.toBe(readOptions([], {}).model);
});

test.each([
  [['--steps', '0'], '--steps: 0 is not an integer from 1 to 10000'],
  [['--steps', '2.5'], '--steps: 2.5 is not an integer'],
  [['--speed', 'fast'], '--speed: fast is not a number'],
  [['--seed', ''], '--seed:  is not an integer'],
  [['--colour'], "Unknown option '--colour'"],
])('%j is refused', (argv, message) => {
  expect(() => readOptions(argv, {})).toThrow(message);
});
