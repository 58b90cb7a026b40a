import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Known, SliceBegin, WakeCause } from '../kernel/slice.ts';
import { earliest, idleExit } from './categories.ts';
import { intervalsOf } from './intervals.testkit.ts';
import { Place } from './intervals.ts';
import { ALL_KNOWN, makeSlice } from './make-slice.testkit.ts';

const sums = (intervals: ReturnType<typeof intervalsOf>) => {
  const out: Record<string, number> = {};
  for (const { category, ns } of intervals) out[category] = (out[category] ?? 0) + ns;
  return out;
};

describe('a woken slice', () => {
  it('splits a remote wakeup into idle exit and scheduling', () => {
    const slice = makeSlice({ wakingAt: 1000, idleState: 1, idleExitAt: 1400, onAt: 1500 });
    expect(idleExit(slice)).toBe('remote');
    expect(sums(intervalsOf(slice))).toEqual({ 'wakeup.idle_exit': 400, 'wakeup.scheduling': 100 });
  });

  it('gives the time after waking by its own interrupt to the handler, and no idle exit', () => {
    const own = { wakerCpu: 0, cause: WakeCause.hardirq, causeId: 27, idleState: 1 };
    const slice = makeSlice({ ...own, eventAt: 900, wakingAt: 1000, idleExitAt: 1040, onAt: 1100 });
    expect(idleExit(slice)).toBe('own');
    expect(sums(intervalsOf(slice))).toEqual({ irq: 140, 'wakeup.scheduling': 60 });
    const before = makeSlice({ ...own, eventAt: 900, wakingAt: 1000, idleExitAt: 890, onAt: 1100 });
    expect(sums(intervalsOf(before))).toEqual({ irq: 100, 'wakeup.scheduling': 100 });
  });

  it('has only scheduling where the CPU was busy', () => {
    expect(sums(intervalsOf(makeSlice({ wakingAt: 1000, onAt: 1700 })))).toEqual({
      'wakeup.scheduling': 700,
    });
  });

  it.each([
    ['softirq', { cause: WakeCause.softirq, causeId: 3, eventAt: 800 }, { softirq: 200 }],
    ['timer', { cause: WakeCause.timer, eventAt: 500, timerLateNs: 300 }, { timer: 300, irq: 200 }],
    ['kworker', { cause: WakeCause.kworker, eventAt: 600, workQueuedNs: 150 }, { workqueue: 150 }],
    ['task', { cause: WakeCause.task, eventAt: 0 }, {}],
  ])('charges what lies between a %s event and waking', (_, fields, expected) => {
    expect(sums(intervalsOf(makeSlice({ ...fields, wakingAt: 1000, onAt: 1000 })))).toEqual(expected);
  });

  it('cuts the interrupt that ends a block wait out of the wait', () => {
    const slice = makeSlice({ cause: WakeCause.softirq, eventAt: 9_900, wakingAt: 10_000, blockNs: 5_000 });
    expect(sums(intervalsOf(slice))).toEqual({ softirq: 100, block: 4_900 });
  });

  it('ignores what began before the thread slept', () => {
    const slice = makeSlice({
      cause: WakeCause.kworker,
      eventAt: 1_000,
      workQueuedNs: 8_000,
      wakingAt: 10_000,
    });
    expect(sums(intervalsOf(slice, 7_000))).toEqual({ workqueue: 2_000 });
  });
});

describe('a preempted slice', () => {
  it('was throttled first and then queued', () => {
    const slice = makeSlice({ begin: SliceBegin.preempted, readyAt: 1000, onAt: 5000, throttledNs: 3000 });
    expect(sums(intervalsOf(slice))).toEqual({ throttled: 3000, runqueue: 1000 });
  });
});

describe('on the CPU', () => {
  it('charges what was stolen, and the frequency for the rest', () => {
    const slice = makeSlice({
      onAt: 0,
      offAt: 1000,
      irqNs: 100,
      softirqNs: 50,
      faultNs: 50,
      khz: 1,
      targetKhz: 2,
    });
    expect(sums(intervalsOf(slice))).toEqual({ irq: 100, softirq: 50, page_fault: 50, frequency: 400 });
  });
});

describe('a record that is not known', () => {
  it.each(Object.entries(Known))('pays nothing without %s for what it needs', (_, bit) => {
    const slice = makeSlice({
      known: ALL_KNOWN & ~bit,
      cause: WakeCause.timer,
      eventAt: 500,
      timerLateNs: 100,
      idleState: 1,
      idleExitAt: 1500,
      wakingAt: 1000,
      onAt: 2000,
      offAt: 3000,
      irqNs: 1,
      softirqNs: 1,
      faultNs: 1,
      vfsNs: 1,
      ioUringNs: 50,
      blockNs: 900,
      throttledNs: 10,
      khz: 1,
      targetKhz: 2,
    });
    const categories = new Set(Object.keys(sums(intervalsOf(slice))));
    const gone: Record<number, string[]> = {
      [Known.wakeup]: ['wakeup.idle_exit', 'wakeup.scheduling', 'throttled'],
      [Known.idle]: ['wakeup.idle_exit'],
      [Known.softirq]: ['softirq'],
      [Known.timer]: ['timer'],
      [Known.faultTime]: ['page_fault'],
      [Known.vfs]: ['vfs'],
      [Known.block]: ['block'],
      [Known.throttled]: ['throttled'],
      [Known.frequency]: ['frequency'],
    };
    for (const category of gone[bit] ?? []) expect(categories).not.toContain(category);
    for (const category of Object.values(gone).flat())
      if (!(gone[bit] ?? []).includes(category)) expect(categories).toContain(category);
  });
});

const time = fc.integer({ min: 0, max: 1_000_000 });
const duration = fc.integer({ min: 0, max: 2_000_000 });
const anySlice = fc
  .record({
    known: fc.integer({ min: 0, max: ALL_KNOWN }),
    begin: fc.constantFrom(...Object.values(SliceBegin)),
    cause: fc.constantFrom(...Object.values(WakeCause)),
    wakerCpu: fc.integer({ min: -1, max: 1 }),
    times: fc.array(time, { minLength: 5, maxLength: 5 }),
    timerLateNs: duration,
    workQueuedNs: duration,
    idleState: fc.integer({ min: -1, max: 3 }),
    irqNs: duration,
    softirqNs: duration,
    faultNs: duration,
    vfsNs: duration,
    blockNs: duration,
    ioUringNs: duration,
    throttledNs: duration,
    khz: fc.integer({ min: 0, max: 4_000_000 }),
    targetKhz: fc.integer({ min: 0, max: 4_000_000 }),
  })
  .map(({ times, ...fields }) => {
    // The idle exit lies anywhere; the rest is in its order.
    const [eventAt, wakingAt, onAt, offAt] = times.slice(0, 4).sort((a, b) => a - b) as [
      number,
      number,
      number,
      number,
    ];
    return makeSlice({
      ...fields,
      eventAt,
      wakingAt,
      readyAt: wakingAt,
      onAt,
      offAt,
      idleExitAt: times[4] as number,
    });
  });

describe('any slice', () => {
  it('gives each nanosecond at most one category, within its own time', () => {
    fc.assert(
      fc.property(anySlice, time, (slice, previousOffAt) => {
        const before = Math.min(previousOffAt, slice.wakingAt);
        const intervals = intervalsOf(slice, before);
        const start = earliest(slice, before);
        for (const { from } of intervals) expect(from).toBeGreaterThanOrEqual(start);
        const placed = intervals.filter(({ place }) => place === Place.exact).sort((a, b) => a.from - b.from);
        for (const [i, { from, to, ns }] of placed.entries()) {
          expect(ns).toBe(to - from);
          expect(ns).toBeGreaterThan(0);
          expect(to).toBeLessThanOrEqual(slice.onAt);
          if (i > 0) expect(from).toBeGreaterThanOrEqual((placed[i - 1] as (typeof placed)[number]).to);
        }
        const onCpu = intervals.filter(({ place }) => place !== Place.exact);
        for (const { from, to } of onCpu) expect([from, to]).toEqual([slice.onAt, slice.offAt]);
        expect(onCpu.reduce((sum, { ns }) => sum + ns, 0)).toBeLessThanOrEqual(
          slice.offAt - slice.onAt + 1e-6,
        );
      }),
      { numRuns: 2000 },
    );
  });
});
