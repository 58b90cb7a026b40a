import type { Bench } from './result.ts';
import { sdkCost } from './sdk-cost.ts';

/** All benchmarks, in the order in which they run and stand in docs/benchmarks.md. */
export const benches: readonly Bench[] = [sdkCost];
