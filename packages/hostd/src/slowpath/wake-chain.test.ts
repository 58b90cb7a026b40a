import { describe, expect, it } from 'vitest';
import { SliceBegin, WakeCause } from '../kernel/slice.ts';
import { makeSlice } from './make-slice.testkit.ts';
import { wakeChain } from './wake-chain.ts';

describe('wakeChain', () => {
  it.each([
    [
      { cause: WakeCause.hardirq, causeId: 27, causeName: 'virtio0', idleState: 3, cpu: 1 },
      'hardirq 27 virtio0 → waking → idle exit C3 → on CPU 1',
    ],
    [
      { cause: WakeCause.softirq, causeId: 3, idleState: 1 },
      'softirq NET_RX → waking → idle exit C1 → on CPU 0',
    ],
    [
      {
        cause: WakeCause.softirq,
        causeId: 4,
        originCause: WakeCause.hardirq,
        originId: 27,
        originName: 'virtio0',
      },
      'hardirq 27 virtio0 → softirq BLOCK → waking → on CPU 0',
    ],
    [
      {
        cause: WakeCause.softirq,
        causeId: 1,
        originCause: WakeCause.hardirq,
        originId: -2,
        originName: 'local_timer',
      },
      'hardirq local_timer → softirq TIMER → waking → on CPU 0',
    ],
    [
      {
        cause: WakeCause.kworker,
        causeId: 7,
        causeName: 'wb_workfn',
        originCause: WakeCause.task,
        originId: 44,
      },
      'task 44 → kworker wb_workfn → waking → on CPU 0',
    ],
    [
      {
        cause: WakeCause.kworker,
        causeId: 7,
        causeName: 'wb_workfn',
        originCause: WakeCause.timer,
        originId: -1,
      },
      'timer → kworker wb_workfn → waking → on CPU 0',
    ],
    [{ cause: WakeCause.timer, causeId: -1 }, 'timer → waking → on CPU 0'],
    [
      { cause: WakeCause.kworker, causeId: 812, causeName: 'blk_mq_run_work_fn' },
      'kworker blk_mq_run_work_fn → waking → on CPU 0',
    ],
    [{ cause: WakeCause.task, causeId: 44, causeName: 'node' }, 'task node → waking → on CPU 0'],
    [{ cause: WakeCause.unknown }, 'waking → on CPU 0'],
    [{ begin: SliceBegin.preempted }, 'preempted → on CPU 0'],
    [{ begin: SliceBegin.new, idleState: 1 }, 'forked → idle exit C1 → on CPU 0'],
  ])('%o', (fields, expected) => {
    expect(wakeChain(makeSlice(fields))).toBe(expected);
  });
});
