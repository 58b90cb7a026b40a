import { describe, expect, it } from 'vitest';
import { encode } from './encode.ts';
import type { HostdFrame } from './frames.ts';
import { parseHostdFrame } from './parse-hostd.ts';
import { ProtocolError } from './protocol-error.ts';

const now = 5e6;
const step = '00000000000000a1';
const report: HostdFrame = {
  type: 'report',
  step,
  complete: true,
  source: 'bpf',
  self: { 'wakeup.idle_exit': 42000, irq: 0 },
  inclusive: { vfs: 7 },
  counts: { 'page_fault.major': 2 },
  unknown: ['frequency'],
  shared: { ns: 10, candidates: 2 },
  wakeups: { total: 3, covered: 2, missed: 1 },
  cpuNs: 12345,
  events: [{ category: 'block', at: 4e6, ns: 250000, detail: 'hardirq 27' }],
};
const frames: HostdFrame[] = [
  { type: 'welcome', session: 's1', version: '0.1.0', mode: 'arm', recorder: 'bpf', at: 1 },
  report,
  { type: 'window', wait: 1, state: 'refused', reason: 'budget', at: 1, retryMs: 5 },
  { type: 'budget', state: 'degraded', bucket: 'host', at: 1 },
  { type: 'error', code: 'PREWAKE_BAD_ID', message: 'no', fatal: false },
  { type: 'pong', id: 4, at: 1 },
];
const parse = (value: unknown) => parseHostdFrame(JSON.stringify(value), now);

describe('parseHostdFrame', () => {
  it.each(frames)('reads back an encoded $type frame', (frame) => {
    expect(parseHostdFrame(encode(frame).trimEnd(), now)).toEqual(frame);
  });

  it.each([{ type: 'later' }, { type: 'step' }, {}])(
    'a type that it does not know is not fatal: %j',
    (frame) => {
      expect(parse(frame)).toMatchObject({ code: 'PREWAKE_UNKNOWN_TYPE', fatal: false });
    },
  );

  it.each([
    { type: 'welcome' },
    { type: 'report', step: 'x' },
    { type: 'window', wait: 0, state: 'released' },
    { type: 'window', wait: 1, state: 'open' },
    { type: 'budget', state: 'degraded' },
    { type: 'error', code: 1 },
    { type: 'pong', id: 1, at: -1 },
  ])('refuses %j', (frame) => expect(parse(frame)).toBeInstanceOf(ProtocolError));

  it('never makes up a figure: what a report lacks is missing, and it is incomplete', () => {
    expect(parse({ type: 'report', step, complete: true })).toEqual({
      type: 'report',
      step,
      complete: false,
      incomplete: 'lost',
      source: 'none',
      self: {},
      unknown: [],
      wakeups: { total: 0, covered: 0, missed: 0 },
      events: [],
    });
  });

  it('drops categories and figures that it does not understand', () => {
    const odd = parse({
      ...report,
      self: { irq: -1, softirq: 'x', vfs: null, later: 5, block: 6 },
      unknown: ['later', 'timer', 3],
      events: [{ category: 'later', at: 1, ns: 1 }, null, { category: 'irq', at: -1, ns: 1 }],
    });
    expect(odd).toMatchObject({ self: { block: 6 }, unknown: ['timer'], events: [] });
  });
});
