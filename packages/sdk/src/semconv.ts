/**
 * Every name that Prewake puts on a span or a metric, in one place: the GenAI conventions are still in development
 * (https://github.com/open-telemetry/semantic-conventions-genai), and names will move. docs/sdk.md explains each.
 */

import type { Category } from './protocol/index.ts';

// ---- OpenTelemetry: GenAI and general ------------------------------------------------------------------

export const ATTR_OPERATION = 'gen_ai.operation.name';
export const ATTR_PROVIDER = 'gen_ai.provider.name';
export const ATTR_REQUEST_MODEL = 'gen_ai.request.model';
export const ATTR_TOOL_NAME = 'gen_ai.tool.name';
export const ATTR_AGENT_NAME = 'gen_ai.agent.name';
export const ATTR_ERROR_TYPE = 'error.type';

/** `gen_ai.operation.name`, which is also the first word of the span's name. */
export const OPERATION = {
  llm: 'chat',
  tool: 'execute_tool',
  agent: 'invoke_agent',
  retriever: 'retrieval',
} as const;

export const METRIC_INFERENCE_DURATION = 'gen_ai.client.inference.duration';
export const METRIC_TIME_TO_FIRST_CHUNK = 'gen_ai.client.inference.time_to_first_chunk';
export const METRIC_TOOL_DURATION = 'gen_ai.execute_tool.duration';
export const METRIC_AGENT_DURATION = 'gen_ai.invoke_agent.duration';

// ---- Prewake -------------------------------------------------------------------------------------------

/** 16 hexadecimal digits: the step's id on the wire and in `prewake stats --by step`. */
export const ATTR_STEP_ID = 'prewake.step.id';
/** The step's kind, where it is none of the GenAI operations. */
export const ATTR_STEP_KIND = 'prewake.step.kind';

/** Exclusive nanoseconds of one category. */
export const attrSelf = (category: Category | string) => `prewake.slowpath.${category}.self_ns`;
/** Inclusive nanoseconds of a container (page_fault, vfs). */
export const attrInclusive = (category: Category | string) => `prewake.slowpath.${category}.inclusive_ns`;
/** Occurrences, by category or a finer name (`page_fault.major`). */
export const attrCount = (name: string) => `prewake.slowpath.${name}.count`;

/** The host's pressure stall time during the step, in microseconds: `cpu`, `memory`, `io`. */
export const attrPressure = (resource: string) => `prewake.pressure.${resource}.some_us`;

/** Categories that could not be known, as a list of strings. They have no `self_ns`. */
export const ATTR_UNKNOWN = 'prewake.slowpath.unknown';

export const ATTR_COMPLETE = 'prewake.attribution.complete';
/** Why it is not complete: `held`, `lost`, `open`, `too_many_steps`, `too_many_candidates`, `recorder_late`, `recorder_off`, `disconnected`, `flushed`, `overload`. */
export const ATTR_INCOMPLETE = 'prewake.attribution.incomplete';
/** `bpf` or `schedstat` (hostd), `local` (this process's own figures), `none`. */
export const ATTR_SOURCE = 'prewake.attribution.source';
/** Part of the figures that other steps, or none, may have caused as well. */
export const ATTR_SHARED_NS = 'prewake.attribution.shared_ns';
/** The largest number of steps that may have caused a shared part, this one included; 1: this one or none. */
export const ATTR_CANDIDATES = 'prewake.attribution.candidates';

export const ATTR_WAKEUPS = 'prewake.wakeups.total';
export const ATTR_WAKEUPS_COVERED = 'prewake.wakeups.covered';
export const ATTR_WAKEUPS_MISSED = 'prewake.wakeups.missed';

export const ATTR_WAITS = 'prewake.waits.count';
export const ATTR_WAITS_NS = 'prewake.waits.duration_ns';
export const ATTR_CPU_NS = 'prewake.cpu_ns';

/** Attributes of a slowpath's own span, whose name is `slowpath {category}`. */
export const ATTR_CATEGORY = 'prewake.slowpath.category';
export const ATTR_DURATION_NS = 'prewake.slowpath.duration_ns';
export const ATTR_DETAIL = 'prewake.slowpath.detail';
