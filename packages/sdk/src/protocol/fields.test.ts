import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStepId, textFlaw, toKey } from './fields.ts';

const parts = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\u001b',
      '\u007f',
      '\u009f',
      '\u00a0',
      '\ud83d\ude00',
      '\ud83d',
      '\ude00',
      '\ude00\ud83d',
      '\ue000',
    ),
  ),
  { maxLength: 6 },
);

test('a text is printable that holds no control character and no lone surrogate, as regular expressions have it', () => {
  fc.assert(
    fc.property(parts, (list) => {
      const text = list.join('');
      const flawed = text.length === 0 || /[\p{Cc}\p{Cs}]/u.test(text);
      expect(textFlaw('key', text, 1000) !== undefined).toBe(flawed);
      expect(/[\p{Cc}\p{Cs}]/u.test(toKey(text))).toBe(false);
      if (!flawed) expect(toKey(text)).toBe(text.slice(0, 200));
    }),
  );
});

test('a step’s id is 16 lower-case hexadecimal digits, not all zero', () => {
  const digits = fc.string({
    unit: fc.constantFrom(...'00000000000009afgAF:/`@ '),
    minLength: 15,
    maxLength: 17,
  });
  fc.assert(
    fc.property(digits, (text) => {
      expect(isStepId(text)).toBe(/^(?!0{16})[0-9a-f]{16}$/.test(text));
    }),
    { numRuns: 2000 },
  );
  expect(isStepId('0'.repeat(16))).toBe(false);
  expect(isStepId('0123456789abcdef')).toBe(true);
  expect(isStepId(16)).toBe(false);
});
