import { decide } from './decide.ts';
import { decode } from './decode.ts';
import { hintLatency } from './hint-latency.ts';
import { prediction } from './prediction.ts';
import type { Bench } from './result.ts';
import { sdkCost } from './sdk-cost.ts';

/** All benchmarks, in the order in which they run and stand in docs/benchmarks.md. */
export const benches: readonly Bench[] = [sdkCost, hintLatency, decide, decode, prediction];
