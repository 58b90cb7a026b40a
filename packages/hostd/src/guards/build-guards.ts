import type { Kernel } from '../kernel/kernel.ts';
import type { LatencyRequest } from '../kernel/latency-qos.ts';
import type { Guard, GuardId } from './guard.ts';
import { IdleCpuGuard } from './idle-cpu.ts';
import { IdleGlobalGuard } from './idle-global.ts';

export type GuardSet = ReadonlyMap<GuardId, Guard>;

/** Every guard there is, in order of preference within its kind. */
export function buildGuards(kernel: Kernel, request?: LatencyRequest): GuardSet {
  const guards: Guard[] = [new IdleCpuGuard(kernel), new IdleGlobalGuard(kernel, request)];
  return new Map(guards.map((guard) => [guard.id, guard]));
}
