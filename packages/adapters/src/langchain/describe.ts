import type { Serialized } from '@langchain/core/load/serializable';
import type { LLMResult } from '@langchain/core/outputs';
import type { StepOptions } from '@prewake/sdk';
import { ATTR_TOOL_CALL_ID } from '../semconv.ts';

/** LangChain's names of providers, where the conventions have another. */
const PROVIDERS = new Map([
  ['amazon_bedrock', 'aws.bedrock'],
  ['azure', 'azure.ai.openai'],
  ['google_genai', 'gcp.gemini'],
  ['google_vertexai', 'gcp.vertex_ai'],
  ['mistral', 'mistral_ai'],
  ['Perplexity', 'perplexity'],
  ['watsonx', 'ibm.watsonx.ai'],
  ['xai', 'x_ai'],
]);

/** The model call's step: its model as LangChain's integrations name it. */
export function describeModel(
  serialized: Serialized,
  extra: Record<string, unknown> | undefined,
  metadata: Record<string, unknown> | undefined,
): StepOptions & { key: string } {
  const invocation = paramsOf(extra);
  const model = invocation.model ?? invocation.model_name ?? metadata?.ls_model_name;
  const provider = metadata?.ls_provider;
  return {
    kind: 'llm',
    key: typeof model === 'string' && model !== '' ? model : className(serialized),
    ...(typeof provider === 'string' && { provider: PROVIDERS.get(provider) ?? provider }),
  };
}

/** True where the request is known to stream. LangChain's `stream()` leaves it unset, so false says nothing. */
export function asksForStream(extra: Record<string, unknown> | undefined): boolean {
  return paramsOf(extra).stream === true;
}

export function describeTool(
  serialized: Serialized,
  runName: string | undefined,
  toolCallId: string | undefined,
): StepOptions {
  return {
    kind: 'tool',
    key: runName ?? serialized.name ?? className(serialized),
    ...(toolCallId && { attributes: { [ATTR_TOOL_CALL_ID]: toolCallId } }),
  };
}

/** True for a graph of LangGraph's, which is what `createAgent` makes. */
export function isGraph(serialized: Serialized): boolean {
  return serialized.id[0] === 'langgraph' && serialized.id[1] === 'pregel';
}

/** Tokens that the service counted, where it did. */
export function usageOf(output: LLMResult): { input?: number; output?: number } {
  const message = (output.generations[0]?.[0] as { message?: unknown } | undefined)?.message;
  const usage = (message as { usage_metadata?: Record<string, unknown> } | undefined)?.usage_metadata;
  const total = (output.llmOutput as { tokenUsage?: Record<string, unknown> } | undefined)?.tokenUsage;
  const input = usage?.input_tokens ?? total?.promptTokens;
  const completion = usage?.output_tokens ?? total?.completionTokens;
  return {
    ...(typeof input === 'number' && { input }),
    ...(typeof completion === 'number' && { output: completion }),
  };
}

/** True for what LangGraph throws to steer (an interrupt, a command for the graph around): no failure of anything. */
export function isControlFlow(error: unknown): boolean {
  return (error as { is_bubble_up?: unknown } | null | undefined)?.is_bubble_up === true;
}

/** True where the caller gave up. */
export function isAbort(error: unknown): boolean {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return name === 'AbortError' || name === 'TimeoutError';
}

/** `ChatOpenAI`, `DynamicStructuredTool`: the last part of the id, where nothing better names a run. */
export function className(serialized: Serialized): string {
  return serialized.id.at(-1) ?? '';
}

function paramsOf(extra: Record<string, unknown> | undefined): Record<string, unknown> {
  return (extra?.invocation_params as Record<string, unknown> | undefined) ?? {};
}
