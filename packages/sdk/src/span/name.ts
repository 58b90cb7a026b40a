import { type Attributes, SpanKind } from '@opentelemetry/api';
import type { StepOptions } from '../options.ts';
import {
  ATTR_AGENT_NAME,
  ATTR_OPERATION,
  ATTR_PROVIDER,
  ATTR_REQUEST_MODEL,
  ATTR_STEP_KIND,
  ATTR_TOOL_NAME,
  OPERATION,
} from '../semconv.ts';

const KEY_ATTRIBUTE = { llm: ATTR_REQUEST_MODEL, tool: ATTR_TOOL_NAME, agent: ATTR_AGENT_NAME } as const;

function genAi(kind: string): kind is keyof typeof OPERATION {
  return kind === 'llm' || kind === 'tool' || kind === 'agent';
}

/** `chat gpt-4o`, `execute_tool Grep`, `invoke_agent planner`; otherwise the key or the kind. */
export function spanName(kind: string, key: string, options: StepOptions): string {
  if (options.name) return options.name;
  if (!genAi(kind)) return key || kind;
  return key ? `${OPERATION[kind]} ${key}` : OPERATION[kind];
}

/** A model call leaves the process: CLIENT. Tools and agents run in it: INTERNAL. */
export function spanKind(kind: string): SpanKind {
  return kind === 'llm' ? SpanKind.CLIENT : SpanKind.INTERNAL;
}

/** What is known at the start, so that samplers can use it. */
export function startAttributes(kind: string, key: string, options: StepOptions): Attributes {
  const attributes: Attributes = {};
  if (genAi(kind)) {
    attributes[ATTR_OPERATION] = OPERATION[kind];
    if (key) attributes[KEY_ATTRIBUTE[kind]] = key;
  } else {
    attributes[ATTR_STEP_KIND] = kind;
  }
  if (options.provider) attributes[ATTR_PROVIDER] = options.provider;
  return options.attributes ? Object.assign(attributes, options.attributes) : attributes;
}
