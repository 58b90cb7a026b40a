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

/** Of a retriever there is none: `gen_ai.data_source.id` is what it searches, and not what it is called. */
const KEY_ATTRIBUTE = {
  llm: ATTR_REQUEST_MODEL,
  tool: ATTR_TOOL_NAME,
  agent: ATTR_AGENT_NAME,
  retriever: undefined,
} as const;

function genAi(kind: string): kind is keyof typeof OPERATION {
  return Object.hasOwn(OPERATION, kind);
}

/** `gen_ai.operation.name`, where the step is one. @param given what the user calls it */
export function operationOf(kind: string, given: string | undefined): string | undefined {
  return given || (genAi(kind) ? OPERATION[kind] : undefined);
}

/** The attribute that has the key, where the conventions have one. */
export function keyAttributeOf(kind: string): string | undefined {
  return genAi(kind) ? KEY_ATTRIBUTE[kind] : undefined;
}

/** `chat gpt-4o`, `execute_tool Grep`, `invoke_agent planner`; otherwise the key or the kind. */
export function spanName(kind: string, key: string, options: StepOptions): string {
  if (options.name) return options.name;
  const operation = operationOf(kind, options.operation);
  if (!operation) return key || kind;
  return key ? `${operation} ${key}` : operation;
}

/** A model call and a search leave the process: CLIENT. Tools and agents run in it: INTERNAL. */
export function spanKind(kind: string): SpanKind {
  return kind === 'llm' || kind === 'retriever' ? SpanKind.CLIENT : SpanKind.INTERNAL;
}

/** What is known at the start, so that samplers can use it. */
export function startAttributes(kind: string, key: string, options: StepOptions): Attributes {
  const attributes: Attributes = {};
  const operation = operationOf(kind, options.operation);
  if (operation) attributes[ATTR_OPERATION] = operation;
  const keyAttribute = keyAttributeOf(kind);
  if (keyAttribute && key) attributes[keyAttribute] = key;
  if (!genAi(kind)) attributes[ATTR_STEP_KIND] = kind;
  if (options.provider) attributes[ATTR_PROVIDER] = options.provider;
  return options.attributes ? Object.assign(attributes, options.attributes) : attributes;
}
