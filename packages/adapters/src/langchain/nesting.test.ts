import type { Serialized } from '@langchain/core/load/serializable';
import { currentStep, step } from '@prewake/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PrewakeCallbackHandler } from './index.ts';
import { SpanRecorder } from './spans.testkit.ts';

// The handler's methods in orders that LangChain takes only now and then.

const of = (...id: string[]): Serialized => ({ lc: 1, type: 'not_implemented', id });
const graph = of('langgraph', 'pregel', 'CompiledStateGraph');
const chain = of('langchain_core', 'runnables', 'RunnableSequence');
const someTool = of('langchain', 'tools', 'DynamicStructuredTool');
const answer = { generations: [] };

let recorder: SpanRecorder;
let handler: PrewakeCallbackHandler;

beforeEach(async () => {
  recorder = await new SpanRecorder().start();
  handler = new PrewakeCallbackHandler();
});

afterEach(() => recorder.stop());

const startTool = (name: string, parent?: string) =>
  handler.handleToolStart(someTool, '', name, parent, [], {}, name);

test('overlapping runs each give back the step around them, whichever ends first', async () => {
  await step('mine', async () => {
    handler.handleChainStart(graph, {}, 'agent');
    startTool('one', 'agent');
    startTool('two', 'agent');
    expect(currentStep()?.key).toBe('two');
    handler.handleToolEnd('', 'one');
    expect(currentStep()?.kind).toBe('agent');
    handler.handleToolEnd('', 'two');
    expect(currentStep()?.kind).toBe('agent');
    handler.handleChainEnd({}, 'agent');
    expect(currentStep()?.key).toBe('mine');
  });
  expect(recorder.tree()).toEqual([
    'mine',
    '  invoke_agent CompiledStateGraph',
    '    execute_tool one',
    '    execute_tool two',
  ]);
});

test('what an outermost run leaves behind ends with it', () => {
  handler.handleChainStart(graph, {}, 'agent');
  handler.handleChainStart(chain, {}, 'node', 'agent');
  handler.handleChatModelStart(of('ChatFake'), [], 'model', 'node');
  handler.handleChainEnd({}, 'node');
  expect(handler.openRuns).toBe(2);
  handler.handleChainEnd({}, 'agent');
  expect(handler.openRuns).toBe(0);
  expect(recorder.tree()).toEqual(['invoke_agent CompiledStateGraph', '  chat ChatFake']);
  handler.handleLLMEnd(answer, 'model');
  expect(recorder.spans).toHaveLength(2);
});

test('a run that begins after the run around it has ended still finds the agent', () => {
  handler.handleChainStart(graph, {}, 'agent');
  handler.handleChainStart(chain, {}, 'node', 'agent');
  startTool('outer', 'node');
  handler.handleChainStart(chain, {}, 'inner', 'outer');
  handler.handleToolEnd('', 'outer');
  startTool('late', 'inner');
  handler.handleToolEnd('', 'late');
  handler.handleChainEnd({}, 'inner');
  handler.handleChainEnd({}, 'node');
  handler.handleChainEnd({}, 'agent');
  expect(handler.openRuns).toBe(0);
  expect(recorder.tree()).toEqual([
    'invoke_agent CompiledStateGraph',
    '  execute_tool outer',
    '  execute_tool late',
  ]);
});

test('ends and tokens of runs that nobody began, and ends that come twice, do nothing', () => {
  handler.handleLLMNewToken('x', {}, 'nobody');
  handler.handleLLMEnd(answer, 'nobody');
  handler.handleToolError(new Error('no'), 'nobody');
  startTool('one', 'nobody');
  handler.handleToolEnd('', 'one');
  handler.handleToolEnd('', 'one');
  expect(recorder.tree()).toEqual(['execute_tool one']);
});

test('runs that are never ended are given up, the oldest first, and memory stays bounded', () => {
  for (let run = 0; run < 10_100; run++) startTool(`tool-${run}`);
  expect(handler.openRuns).toBe(10_000);
  expect(recorder.named('execute_tool tool-0')).toHaveLength(1);
  expect(recorder.named('execute_tool tool-100')).toHaveLength(0);
});

test('a copy, as LangChain makes for child managers, is the same handler', () => {
  expect(handler.copy()).toBe(handler);
});
