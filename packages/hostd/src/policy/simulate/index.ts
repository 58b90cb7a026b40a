export type { Baseline } from './baselines.ts';
export type { Coverage, Summary } from './coverage.ts';
export { type Simulation, simulate } from './simulate.ts';
export { parseTrace, type TraceRow } from './trace.ts';
