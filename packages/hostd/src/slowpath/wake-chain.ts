import { type Slice, SliceBegin, WakeCause } from '../kernel/slice.ts';

/** Softirq vectors by number (include/linux/interrupt.h). */
const SOFTIRQS = [
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
];

/** How a thread came onto the CPU: `hardirq 27 virtio0 → waking → idle exit C1 → on CPU 1`. */
export function wakeChain(slice: Slice): string {
  const steps: string[] = [];
  if (slice.begin === SliceBegin.preempted) steps.push('preempted');
  else if (slice.begin === SliceBegin.new) steps.push('forked');
  else {
    const cause = causeOf(slice);
    if (cause) steps.push(cause);
    steps.push('waking');
  }
  if (slice.idleState >= 0) steps.push(`idle exit C${slice.idleState}`);
  steps.push(`on CPU ${slice.cpu}`);
  return steps.join(' → ');
}

function causeOf(slice: Slice): string | undefined {
  const name = slice.causeName ? ` ${slice.causeName}` : '';
  const id = slice.causeId >= 0 ? ` ${slice.causeId}` : '';
  switch (slice.cause) {
    case WakeCause.hardirq:
      return `hardirq${id}${name}`;
    case WakeCause.softirq:
      return `softirq ${SOFTIRQS[slice.causeId] ?? slice.causeId}`;
    case WakeCause.timer:
      return 'timer';
    case WakeCause.kworker:
      return `kworker${name || id}`;
    case WakeCause.task:
      return `task${name || id}`;
    default:
      return undefined;
  }
}
