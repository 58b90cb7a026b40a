import fc from 'fast-check';
import { type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';
import { makeSlice } from './make-slice.testkit.ts';

export const END = 2_000_000;
export const ids = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16));

const gap = fc.integer({ min: 0, max: 30_000 });

/** A day in the life of one thread: ascending times, cut into sleep, queueing and running. */
export const slices = fc
  .array(
    fc.record({
      gaps: fc.tuple(gap, gap, gap, gap),
      begin: fc.constantFrom(SliceBegin.woken, SliceBegin.preempted),
      cause: fc.constantFrom(...Object.values(WakeCause)),
      stolen: fc.tuple(gap, gap, gap, gap, gap, gap),
      idleState: fc.integer({ min: -1, max: 2 }),
      wakerCpu: fc.integer({ min: 0, max: 1 }),
      khz: fc.integer({ min: 1, max: 10 }),
    }),
    { maxLength: 40 },
  )
  .map((list) => {
    let t = 1000;
    return list.map(({ gaps, begin, stolen, ...rest }, i): Slice => {
      const wakingAt = begin === SliceBegin.preempted ? t : t + gaps[0];
      const onAt = wakingAt + gaps[1];
      const offAt = onAt + gaps[2] + 1;
      const eventAt = wakingAt - Math.min(gaps[3], wakingAt - t);
      t = offAt;
      const next = list[i + 1]?.begin;
      const [irqNs, softirqNs, faultNs, blockNs, ioUringNs, timerLateNs] = stolen;
      return makeSlice({
        ...{
          begin,
          ...rest,
          wakingAt,
          readyAt: wakingAt,
          eventAt,
          onAt,
          offAt,
          idleExitAt: wakingAt + gaps[3],
        },
        ...{
          irqNs,
          softirqNs,
          faultNs,
          blockNs,
          ioUringNs,
          timerLateNs,
          workQueuedNs: timerLateNs,
          targetKhz: 10,
        },
        end: next === SliceBegin.preempted ? SliceEnd.preempted : SliceEnd.sleep,
      });
    });
  });

export const steps = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: END }),
    length: fc.integer({ min: 0, max: END / 4 }),
    inFirst: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
export const marks = fc.array(
  fc.record({ at: fc.integer({ min: 0, max: END }), who: fc.constantFrom('', ...ids) }),
  { maxLength: 40 },
);
