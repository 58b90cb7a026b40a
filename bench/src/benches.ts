import { attributionCost } from './attribution-cost.ts';
import { decide } from './decide.ts';
import { decode } from './decode.ts';
import { effect } from './effect.ts';
import { hintLatency } from './hint-latency.ts';
import { kick } from './kick.ts';
import { lifecycle } from './lifecycle.ts';
import { load } from './load.ts';
import { prediction } from './prediction.ts';
import { rest } from './rest.ts';
import type { Bench } from './result.ts';
import { sdkCost } from './sdk-cost.ts';
import { slices } from './slices.ts';

/** All benchmarks, in the order in which they run and stand in docs/benchmarks.md. */
export const benches: readonly Bench[] = [
  sdkCost,
  hintLatency,
  decide,
  load,
  lifecycle,
  rest,
  kick,
  effect,
  attributionCost,
  decode,
  slices,
  prediction,
];
