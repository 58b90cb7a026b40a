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

/** How a thread came onto the CPU: `hardirq 27 virtio0 → softirq BLOCK → waking → idle exit C1 → on CPU 1`. */
export function wakeChain(slice: Slice): string {
  const steps: string[] = [];
  if (slice.begin === SliceBegin.preempted) steps.push('preempted');
  else if (slice.begin === SliceBegin.new) steps.push('forked');
  else {
    const origin = named(slice.originCause, slice.originId, slice.originName);
    const cause = named(slice.cause, slice.causeId, slice.causeName);
    if (origin) steps.push(origin);
    if (cause) steps.push(cause);
    steps.push('waking');
  }
  if (slice.idleState >= 0) steps.push(`idle exit C${slice.idleState}`);
  steps.push(`on CPU ${slice.cpu}`);
  return steps.join(' → ');
}

function named(cause: WakeCause, causeId: number, causeName: string): string | undefined {
  const name = causeName ? ` ${causeName}` : '';
  const id = causeId >= 0 ? ` ${causeId}` : '';
  switch (cause) {
    case WakeCause.hardirq:
      return `hardirq${id}${name}`;
    case WakeCause.softirq:
      return `softirq ${SOFTIRQS[causeId] ?? causeId}`;
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
