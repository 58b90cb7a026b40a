import { AIMessage } from '@langchain/core/messages';
import { fakeModel } from '@langchain/core/testing';
import { tool } from '@langchain/core/tools';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { Annotation, Command, END, interrupt, MemorySaver, START, StateGraph } from '@langchain/langgraph';
import { SpanStatusCode } from '@opentelemetry/api';
import { currentStep } from '@prewake/sdk';
import { createAgent } from 'langchain';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { recordEachTest } from './spans.testkit.ts';

const { handler, callbacks, recorder } = recordEachTest();

const State = Annotation.Root({ answer: Annotation<string> });

const failed = () => recorder.spans.filter((span) => span.status.code === SpanStatusCode.ERROR);

test('a graph is one agent; its nodes have no spans, and the agent is current in them', async () => {
  const model = fakeModel().respond(new AIMessage('one')).respond(new AIMessage('two'));
  const seen: (string | undefined)[] = [];
  const ask = async () => {
    seen.push(currentStep()?.key);
    return { answer: (await model.invoke('?')).text };
  };
  const graph = new StateGraph(State)
    .addNode('first', ask)
    .addNode('second', ask)
    .addEdge(START, 'first')
    .addEdge('first', 'second')
    .addEdge('second', END)
    .compile({ name: 'both' });
  expect(await graph.invoke({ answer: '' }, { callbacks })).toEqual({ answer: 'two' });
  expect(seen).toEqual(['both', 'both']);
  expect(recorder.tree()).toEqual(['invoke_agent both', '  chat FakeBuiltModel', '  chat FakeBuiltModel']);
});

test('an interrupt, in a node or in a tool, is no error; the run after it is an agent of its own', async () => {
  const confirm = tool(async () => String(interrupt('sure?')), {
    name: 'confirm',
    description: 'Asks a person.',
    schema: z.object({}),
  });
  const model = fakeModel()
    .respondWithTools([{ name: 'confirm', args: {}, id: '1' }])
    .respond(new AIMessage('done'));
  const agent = createAgent({ model, tools: [confirm], checkpointer: new MemorySaver(), name: 'careful' });
  const config = { callbacks, configurable: { thread_id: '1' } };
  expect(await agent.invoke({ messages: 'do it' }, config)).toHaveProperty('__interrupt__');
  expect(handler.openRuns).toBe(0);
  const { messages } = await agent.invoke(new Command({ resume: 'yes' }), config);
  expect(messages.at(-1)?.text).toBe('done');
  expect(recorder.tree()).toEqual([
    'invoke_agent careful',
    '  chat FakeBuiltModel',
    '  execute_tool confirm',
    'invoke_agent careful',
    '  execute_tool confirm',
    '  chat FakeBuiltModel',
  ]);
  expect(failed()).toEqual([]);
});

test('a subgraph is a part of its graph; an agent that a tool runs is an agent', async () => {
  const inner = createAgent({
    model: fakeModel().respond(new AIMessage('inner')),
    tools: [],
    name: 'expert',
  });
  const consult = tool(async () => (await inner.invoke({ messages: '?' })).messages.at(-1)?.text ?? '', {
    name: 'consult',
    description: 'Asks another agent.',
    schema: z.object({}),
  });
  const sub = new StateGraph(State)
    .addNode('consult', async () => ({ answer: await consult.invoke({}) }))
    .addEdge(START, 'consult')
    .addEdge('consult', END)
    .compile({ name: 'sub' });
  const graph = new StateGraph(State)
    .addNode('sub', sub)
    .addEdge(START, 'sub')
    .addEdge('sub', END)
    .compile({ name: 'outer' });
  expect(await graph.invoke({ answer: '' }, { callbacks })).toEqual({ answer: 'inner' });
  expect(recorder.tree()).toEqual([
    'invoke_agent outer',
    '  execute_tool consult',
    '    invoke_agent expert',
    '      chat FakeBuiltModel',
  ]);
});

test('a graph whose stream is dropped ends its spans', async () => {
  const model = new FakeListChatModel({ responses: ['a long answer'], sleep: 5 });
  const graph = new StateGraph(State)
    .addNode('ask', async () => {
      let answer = '';
      for await (const chunk of await model.stream('?')) answer += chunk.text;
      return { answer };
    })
    .addEdge(START, 'ask')
    .addEdge('ask', END)
    .compile({ name: 'dropped' });
  for await (const _ of await graph.stream({ answer: '' }, { callbacks, streamMode: 'messages' })) break;
  for (let tries = 0; handler.openRuns > 0 && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(recorder.tree()).toEqual(['invoke_agent dropped', '  chat FakeListChatModel']);
});

test('an error in a node is the error that it was', async () => {
  const failure = new RangeError('no such node');
  const graph = new StateGraph(State)
    .addNode('fail', async () => Promise.reject(failure))
    .addEdge(START, 'fail')
    .addEdge('fail', END)
    .compile();
  const thrown = await graph.invoke({ answer: '' }, { callbacks }).catch((error: unknown) => error);
  expect(thrown).toBe(failure);
  expect(failed().map((span) => span.name)).toEqual(['invoke_agent LangGraph']);
});
