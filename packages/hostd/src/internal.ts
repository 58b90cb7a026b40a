/**
 * Not public, and free to change in any release: the parts of hostd that the project's own benchmarks measure by
 * themselves. Everything else goes through index.ts.
 */

export { Decoder } from './kernel/bpf/decoder.ts';
export { RecordType, SLICE_BYTES, SliceOffset } from './kernel/bpf/record-layout.ts';
export type { RecordSink } from './kernel/recorder.ts';
export { SliceBegin, SliceEnd, WakeCause } from './kernel/slice.ts';
export { launcher, launcherFlags } from './launcher.ts';
export { createPolicy, defaultPolicyConfig, type LearningPolicy } from './policy/index.ts';
export { isCovered } from './policy/plan/windows.ts';
export { parseTrace, type Simulation, simulate, type TraceRow } from './policy/simulate/index.ts';
