import { Decoder, WakeCause } from '@prewake/hostd/internal';
import { expect, it } from 'vitest';
import { Totals } from './decode.ts';
import { filledRing, STRIDE_BYTES } from './filled-ring.ts';

it('a filled ring decodes to slices that were woken by interrupts, timers and named tasks', () => {
  const decoder = new Decoder(
    filledRing(300),
    () => 'none',
    () => 'none',
  );
  const seen = new Map<number, Set<string>>();
  const totals = new Totals();
  for (let i = 0; i < 300; i++) {
    decoder.decode((i * STRIDE_BYTES + 8) / 4, totals);
    decoder.decode((i * STRIDE_BYTES + 8) / 4, {
      slice(slice) {
        expect(slice.offAt).toBeGreaterThanOrEqual(slice.onAt);
        expect(slice.onAt).toBeGreaterThan(slice.wakingAt);
        seen.set(slice.cause, (seen.get(slice.cause) ?? new Set()).add(slice.causeName));
      },
      fork: () => expect.unreachable(),
      exit: () => expect.unreachable(),
    });
  }
  expect(totals.slices).toBe(300);
  expect([...seen.keys()].sort()).toEqual(
    [WakeCause.hardirq, WakeCause.timer, WakeCause.task].sort((a, b) => a - b),
  );
  expect([...(seen.get(WakeCause.task) ?? [])].sort()).toEqual([0, 1, 2, 3, 4].map((n) => `worker-${n}`));
});
