import { describe, expect, it } from 'vitest';
import { encode } from './encode.ts';
import { PrewakeError } from './errors.ts';
import { type ClientFrame, MAX_LINE_BYTES } from './frames.ts';
import { parseClientFrame } from './parse-client.ts';
import { ProtocolError } from './protocol-error.ts';

const now = 5e6;
const id = '00000000000000a1';
const frames: ClientFrame[] = [
  {
    type: 'step',
    id,
    kind: 'llm',
    key: 'gpt-4o',
    parent: 'ffffffffffffffff',
    at: 1.5,
    thread: 7,
    report: false,
    pool: true,
  },
  { type: 'step_end', id, at: 2 },
  {
    type: 'wait',
    id: 1,
    step: id,
    kind: 'tool',
    key: 'Grep',
    at: 3,
    deadline: 9e6,
    inputTokens: 0,
    stream: true,
  },
  { type: 'signal', wait: 1, signal: 'headers', at: 4, deadline: 10 },
  { type: 'wait_end', id: 1, at: 5, cancelled: true },
  { type: 'run', thread: 7, marks: [1, id, 1, '', 2.25, id] },
  { type: 'pool', id: 3, step: id, at: 5 },
  { type: 'pool', id: 4, at: 5 },
  { type: 'pool_end', id: 3, at: 6 },
  { type: 'gc', thread: 7, pauses: [1, 0, 2, 350.5] },
  { type: 'ping', id: 0 },
];

const parse = (value: unknown) =>
  parseClientFrame(typeof value === 'string' ? value : JSON.stringify(value), now);
const code = (value: unknown) => {
  const frame = parse(value);
  return frame instanceof ProtocolError ? `${frame.code}${frame.fatal ? '!' : ''}` : 'accepted';
};

describe('parseClientFrame', () => {
  it.each(frames)('reads back an encoded $type frame, as text and as bytes', (frame) => {
    const line = encode(frame);
    expect(line.endsWith('\n')).toBe(true);
    expect(parseClientFrame(line.slice(0, -1), now)).toEqual(frame);
    expect(parseClientFrame(Buffer.from(line), now)).toEqual(frame);
  });

  it.each(frames)('ignores fields of a $type frame that it does not know', (frame) => {
    expect(code({ ...frame, later: { nested: [1] }, __proto__x: 1 })).toBe('accepted');
  });

  it.each(['', '{', 'null', '[]', '1', '"step"', '{"type":"step"', '\u0000', 'GET / HTTP/1.1'])(
    'a line that is no JSON object is fatal: %j',
    (line) => expect(code(line)).toBe('PREWAKE_LINE_MALFORMED!'),
  );

  it.each([
    {},
    { type: 7 },
    { type: 'later' },
    { type: 'toString' },
    { type: '__proto__' },
    { type: 'report' },
  ])('an unknown type is answered and nothing else: %j', (frame) =>
    expect(code(frame)).toBe('PREWAKE_UNKNOWN_TYPE'),
  );

  it.each([-1, -1e-9, null, '5', {}, now + 24 * 3600 * 1e6 + 1, 1e300, undefined])(
    'refuses the time %j',
    (at) => {
      expect(code({ type: 'step_end', id, at })).toBe('PREWAKE_BAD_TIME');
      if (at !== undefined) expect(code({ ...frames[2], deadline: at })).toBe('PREWAKE_BAD_TIME');
      expect(code({ type: 'run', thread: 1, marks: [at, ''] })).toBe('PREWAKE_BAD_TIME');
    },
  );

  it('refuses numbers that JSON reads as infinite', () => {
    expect(code(`{"type":"step_end","id":"${id}","at":1e999}`)).toBe('PREWAKE_BAD_TIME');
    expect(code(`{"type":"gc","thread":1,"pauses":[1,1e999]}`)).toBe('PREWAKE_BAD_FIELD');
  });

  it.each(['0000000000000000', '00000000000000A1', 'a1', 161, null, undefined, `${id}\n`, `${id}0`])(
    'refuses the step id %j',
    (bad) => {
      expect(code({ type: 'step_end', id: bad, at: 1 })).toBe('PREWAKE_BAD_ID');
      expect(code({ ...frames[2], step: bad })).toBe('PREWAKE_BAD_ID');
    },
  );

  it.each([0, -1, 1.5, '1', 2 ** 53, null, undefined])('refuses the counted id %j', (bad) => {
    expect(code({ type: 'wait_end', id: bad, at: 1 })).toBe('PREWAKE_BAD_ID');
    expect(code({ type: 'signal', wait: bad, signal: 'token', at: 1 })).toBe('PREWAKE_BAD_ID');
    expect(code({ type: 'pool', id: bad, step: id, at: 1 })).toBe('PREWAKE_BAD_ID');
  });

  it('bounds kinds, keys and signals', () => {
    expect(code({ ...frames[0], key: 'k'.repeat(200) })).toBe('accepted');
    expect(code({ ...frames[0], key: 'k'.repeat(201) })).toBe('PREWAKE_KEY_TOO_LONG');
    expect(code({ ...frames[0], kind: 'k'.repeat(65) })).toBe('PREWAKE_KEY_TOO_LONG');
    expect(code({ ...frames[3], signal: 's'.repeat(65) })).toBe('PREWAKE_KEY_TOO_LONG');
    expect(code({ ...frames[0], kind: '' })).toBe('PREWAKE_BAD_FIELD');
  });

  it.each(['a\u001b[31m', 'a\nb', 'a\u0000', '\u009b', '\ud800'])(
    'refuses a key that could harm a terminal: %j',
    (key) => expect(code({ ...frames[0], key })).toBe('PREWAKE_BAD_FIELD'),
  );

  it.each([
    { ...frames[0], thread: 0 },
    { ...frames[0], thread: 1.5 },
    { ...frames[0], report: 'yes' },
    { ...frames[0], key: ['k'] },
    { ...frames[2], inputTokens: -1 },
    { ...frames[2], stream: 1 },
    { ...frames[4], cancelled: null },
    { type: 'run', thread: 7, marks: [1] },
    { type: 'run', thread: 7, marks: [1, 'x'] },
    { type: 'run', marks: [] },
    { type: 'gc', thread: 7, pauses: [1, -1] },
    { type: 'gc', thread: 7, pauses: { length: 2 } },
    { type: 'ping', id: '1' },
  ])('refuses a field of the wrong type or range: %j', (frame) =>
    expect(code(frame)).toBe('PREWAKE_BAD_FIELD'),
  );

  it('refuses marks and pauses that go back in time', () => {
    expect(code({ type: 'run', thread: 7, marks: [2, id, 1, ''] })).toBe('PREWAKE_BAD_TIME');
    expect(code({ type: 'gc', thread: 7, pauses: [2, 1, 1, 1] })).toBe('PREWAKE_BAD_TIME');
  });

  it('the error is the answer to the peer', () => {
    const error = parse({ type: 'step_end', id: 'x', at: 1 });
    expect(error).toBeInstanceOf(PrewakeError);
    expect(JSON.parse(encode(error as ProtocolError))).toEqual({
      type: 'error',
      code: 'PREWAKE_BAD_ID',
      message: expect.stringMatching(/^step_end: id must be 16/),
      fatal: false,
    });
  });
});

describe('encode', () => {
  it('refuses a frame that does not fit a line', () => {
    const marks = Array.from({ length: 400 }, (_, i) => (i % 2 ? id : i));
    expect(() => encode({ type: 'run', thread: 1, marks })).toThrow(
      expect.objectContaining({ code: 'PREWAKE_LINE_TOO_LONG' }),
    );
  });

  it('counts bytes: a line of the limit passes', () => {
    const empty = encode({ type: 'step', id, kind: 'tool', key: '', at: 1 });
    const key = 'é'.repeat((MAX_LINE_BYTES - empty.length) / 2);
    expect(() => encode({ type: 'step', id, kind: 'tool', key, at: 1 })).not.toThrow();
    expect(() => encode({ type: 'step', id, kind: 'tool', key: `${key}é`, at: 1 })).toThrow(PrewakeError);
  });
});
