import { BaseCallbackHandler } from '@langchain/core/callbacks/base';
import type { Serialized } from '@langchain/core/load/serializable';
import type { LLMResult } from '@langchain/core/outputs';
import type { StepOptions, WaitHint } from '@prewake/sdk';
import { ATTR_INPUT_TOKENS, ATTR_OUTPUT_TOKENS } from '../semconv.ts';
import {
  asksForStream,
  className,
  describeModel,
  describeTool,
  isAbort,
  isControlFlow,
  isGraph,
  usageOf,
} from './describe.ts';
import { beginRun, endRun, type Run, stepAround } from './run.ts';

/** More runs than this at once, and the oldest are given up: streams at the root that nobody read to their end. */
const MAX_OPEN_RUNS = 10_000;

type Extra = Record<string, unknown>;

/**
 * Makes steps of what LangChain and LangGraph run: model calls (`llm`), tool calls (`tool`), retrievers
 * (`retriever`) and agents (`agent`). Chains and graph nodes have no step. One handler serves any number of
 * concurrent runs. It never changes a result or an error.
 */
export class PrewakeCallbackHandler extends BaseCallbackHandler {
  override readonly name = 'prewake';
  /**
   * LangChain would otherwise call handlers later and in another async context than the run's, where a step can't be
   * made current. No method here awaits anything.
   */
  override awaitHandlers = true;
  readonly #open = new Map<string, Run>();
  /** Models whose last answer came in pieces: the next one is likely to. */
  readonly #streaming = new Set<string>();

  /** Runs that have begun and not ended: 0 when nothing runs. */
  get openRuns(): number {
    return this.#open.size;
  }

  /** LangChain copies handlers into child managers. Runs must stay in one place. */
  override copy(): this {
    return this;
  }

  // LangChain's type lists `runType` fourth and `parentRunId` eighth; its callback manager passes them as here.
  override handleChainStart(
    chain: Serialized,
    _inputs: unknown,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    _metadata?: Extra,
    _runType?: string,
    runName?: string,
  ): void {
    this.#begin(runId, parentRunId, this.#isAgent(chain, parentRunId) ? agent(chain, runName) : undefined);
  }

  override handleChainEnd(_outputs: unknown, runId: string): void {
    this.#end(runId);
  }

  override handleChainError(error: unknown, runId: string): void {
    this.#fail(runId, error);
  }

  override handleChatModelStart(
    model: Serialized,
    _messages: unknown,
    runId: string,
    parentRunId?: string,
    extra?: Extra,
    _tags?: string[],
    metadata?: Extra,
  ): void {
    this.#beginModel(runId, parentRunId, describeModel(model, extra, metadata), extra);
  }

  /** Of a model that is no chat model: it completes a text. */
  override handleLLMStart(
    model: Serialized,
    _prompts: unknown,
    runId: string,
    parentRunId?: string,
    extra?: Extra,
    _tags?: string[],
    metadata?: Extra,
  ): void {
    const options = { ...describeModel(model, extra, metadata), operation: 'text_completion' };
    this.#beginModel(runId, parentRunId, options, extra);
  }

  override handleLLMNewToken(_token: string, _index: unknown, runId: string): void {
    const run = this.#open.get(runId);
    if (run) run.wait?.signal(run.chunks++ === 0 ? 'first_token' : 'token');
  }

  override handleLLMEnd(output: LLMResult, runId: string): void {
    const run = this.#open.get(runId);
    if (!run?.step) return;
    const usage = usageOf(output);
    if (usage.input !== undefined) run.step.span.setAttribute(ATTR_INPUT_TOKENS, usage.input);
    if (usage.output !== undefined) run.step.span.setAttribute(ATTR_OUTPUT_TOKENS, usage.output);
    if (run.chunks > 1) this.#streaming.add(run.step.key);
    else this.#streaming.delete(run.step.key);
    this.#end(runId);
  }

  override handleLLMError(error: unknown, runId: string): void {
    this.#fail(runId, error, { cancelled: true });
  }

  override handleToolStart(
    tool: Serialized,
    _input: string,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    _metadata?: Extra,
    runName?: string,
    toolCallId?: string,
  ): void {
    this.#begin(runId, parentRunId, describeTool(tool, runName, toolCallId), {});
  }

  override handleToolEnd(_output: unknown, runId: string): void {
    this.#end(runId);
  }

  override handleToolError(error: unknown, runId: string): void {
    this.#fail(runId, error);
  }

  override handleRetrieverStart(
    retriever: Serialized,
    _query: string,
    runId: string,
    parentRunId?: string,
    _tags?: string[],
    _metadata?: Extra,
    name?: string,
  ): void {
    this.#begin(runId, parentRunId, { kind: 'retriever', key: name ?? className(retriever) }, {});
  }

  override handleRetrieverEnd(_documents: unknown, runId: string): void {
    this.#end(runId);
  }

  override handleRetrieverError(error: unknown, runId: string): void {
    this.#fail(runId, error, { cancelled: true });
  }

  /** A graph is an agent where it is the outermost, or where a tool runs it; a subgraph is a part of its graph. */
  #isAgent(chain: Serialized, parentRunId: string | undefined): boolean {
    if (!isGraph(chain)) return false;
    const around = stepAround(parentRunId ? this.#open.get(parentRunId) : undefined);
    return around?.kind !== 'agent';
  }

  #beginModel(
    runId: string,
    parentRunId: string | undefined,
    options: StepOptions & { key: string },
    extra: Extra | undefined,
  ): void {
    const stream = asksForStream(extra) || this.#streaming.has(options.key);
    this.#begin(runId, parentRunId, options, stream ? { stream } : {});
  }

  #begin(runId: string, parentRunId: string | undefined, options?: StepOptions, hint?: WaitHint): void {
    const parent = parentRunId ? this.#open.get(parentRunId) : undefined;
    this.#open.set(runId, beginRun({ id: runId, parent, options, hint }));
    if (this.#open.size > MAX_OPEN_RUNS) this.#giveUpOldest();
  }

  #end(runId: string): void {
    const run = this.#open.get(runId);
    if (!run) return;
    this.#close(run, {});
    run.leave?.();
  }

  #fail(runId: string, error: unknown, { cancelled = false } = {}): void {
    const run = this.#open.get(runId);
    if (!run) return;
    const steers = isControlFlow(error);
    this.#close(run, {
      ...(!steers && { failure: { error } }),
      cancelled: cancelled || steers || isAbort(error),
    });
    run.leave?.();
  }

  #close(run: Run, outcome: Parameters<typeof endRun>[1]): void {
    this.#open.delete(run.id);
    endRun(run, outcome);
    // Nothing ends what an outermost run left behind: a stream that its reader dropped, a branch that was cancelled.
    if (!run.parent) for (const child of run.children) this.#close(child, { cancelled: true });
  }

  #giveUpOldest(): void {
    const oldest = this.#open.values().next().value;
    if (oldest) this.#close(oldest, { cancelled: true });
  }
}

function agent(chain: Serialized, runName: string | undefined): StepOptions {
  return { kind: 'agent', key: runName ?? className(chain) };
}

/** The handler, for `agent.invoke(input, { callbacks: [prewake()] })`. One can be kept and used for all calls. */
export function prewake(): PrewakeCallbackHandler {
  return new PrewakeCallbackHandler();
}
