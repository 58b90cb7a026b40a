import type { ClientFrame } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import { A, end, start, step, us } from './attribution.testkit.ts';

describe('what a wakeup cost a wait', () => {
  const wait = (id: number, of: string, at: number): ClientFrame => ({
    type: 'wait',
    id,
    step: of,
    kind: 'llm',
    at,
  });
  const waitEnd = (id: number, at: number): ClientFrame => ({ type: 'wait_end', id, at });

  it('is that of the wakeup that ended it', () => {
    const { frames, slice, find } = start({ isCovered: (cpu) => cpu === 1 });
    frames(step(A, 1000), wait(1, A, 1100));
    slice({ onAt: 1000, offAt: 1200 });
    slice({ wakingAt: 2000, onAt: 2900, offAt: 3000 });
    slice({ wakingAt: 4000, onAt: 4050, offAt: 4200, cpu: 1 });
    frames(waitEnd(1, 4060));
    expect(find(4200).costs).toEqual([{ wait: 's1/1', ns: us(50), covered: true, cpu: 1 }]);
    expect(find(4300).costs).toEqual([]);
  });

  it('is none where the thread did not sleep', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), wait(1, A, 1100), waitEnd(1, 1150));
    slice({ onAt: 1000, offAt: 1200 });
    expect(find(1200).costs).toEqual([]);
    expect(find(1_000_000).costs).toEqual([]);
  });

  it('is a miss where a window was open and the CPU was not armed', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), wait(1, A, 1100), wait(2, A, 1100));
    attribution.windowOpened('s1', 's1/1', us(1500));
    attribution.windowOpened('s1', 's1/2', us(1500));
    attribution.windowClosed('s1', 's1/2', us(1600));
    slice({ wakingAt: 990, onAt: 1000, offAt: 1200 });
    slice({ wakingAt: 2000, onAt: 2900, offAt: 3000 });
    frames(waitEnd(1, 2950), waitEnd(2, 2951), end(A, 2960));
    const { reports, costs } = find(3000);
    expect(costs.map(({ covered }) => covered)).toEqual([false, false]);
    expect(reports[A]?.wakeups).toEqual({ total: 1, covered: 0, missed: 1 });
  });
});
