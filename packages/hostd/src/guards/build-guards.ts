import { monotonicMicros } from '@prewake/sdk/protocol';
import type { Kernel } from '../kernel/kernel.ts';
import type { LatencyRequest } from '../kernel/latency-qos.ts';
import { FrequencyPolicyGuard } from './frequency-policy.ts';
import { FrequencyPreferenceGuard } from './frequency-preference.ts';
import { FrequencyTaskGuard } from './frequency-task.ts';
import type { Guard, GuardId } from './guard.ts';
import { IdleCpuGuard } from './idle-cpu.ts';
import { IdleGlobalGuard } from './idle-global.ts';
import { IdleStateGuard } from './idle-state.ts';
import { PlacementGuard } from './placement.ts';
import { SchedulerSliceGuard } from './scheduler-slice.ts';
import type { GuardSettings } from './settings.ts';
import { TimerSlackGuard } from './timer-slack.ts';

export type GuardSet = ReadonlyMap<GuardId, Guard>;

export interface BuildOptions {
  settings?: GuardSettings | undefined;
  /** An inherited request on the machine-wide latency limit. */
  request?: LatencyRequest | undefined;
  /** CLOCK_MONOTONIC, microseconds. */
  now?: () => number;
}

/** Every guard that there is, for this machine or not. */
export function buildGuards(
  kernel: Kernel,
  { settings = { capacity: 0.5 }, request, now = monotonicMicros }: BuildOptions = {},
): GuardSet {
  const guards: Guard[] = [
    new IdleCpuGuard(kernel),
    new IdleGlobalGuard(kernel, request),
    new IdleStateGuard(kernel),
    new FrequencyPreferenceGuard(kernel),
    new FrequencyPolicyGuard(kernel, settings, now),
    new FrequencyTaskGuard(kernel, settings),
    new SchedulerSliceGuard(kernel, settings),
    new TimerSlackGuard(kernel),
    new PlacementGuard(kernel),
  ];
  return new Map(guards.map((guard) => [guard.id, guard]));
}
