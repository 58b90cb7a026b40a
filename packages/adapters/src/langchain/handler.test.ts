import { AIMessage } from '@langchain/core/messages';
import { fakeModel } from '@langchain/core/testing';
import { tool } from '@langchain/core/tools';
import { FakeListChatModel, FakeLLM, FakeRetriever } from '@langchain/core/utils/testing';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { currentStep, step } from '@prewake/sdk';
import { createAgent } from 'langchain';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { recordEachTest } from './spans.testkit.ts';

const { callbacks, recorder } = recordEachTest();

const add = tool(async ({ a, b }) => String(a + b), {
  name: 'add',
  description: 'Adds.',
  schema: z.object({ a: z.number(), b: z.number() }),
});

const ask = { messages: [{ role: 'user', content: 'What is 1 + 2, and 3 + 4?' }] };

test('an agent gives invoke_agent, chat and execute_tool, nested so, and nothing else', async () => {
  const model = fakeModel()
    .respondWithTools([
      { name: 'add', args: { a: 1, b: 2 }, id: 'one' },
      { name: 'add', args: { a: 3, b: 4 }, id: 'two' },
    ])
    .respond(new AIMessage('3 and 7'));
  const { messages } = await createAgent({ model, tools: [add], name: 'adder' }).invoke(ask, { callbacks });
  expect(messages.at(-1)?.text).toBe('3 and 7');
  expect(recorder.tree()).toEqual([
    'invoke_agent adder',
    '  chat FakeBuiltModel',
    '  execute_tool add',
    '  execute_tool add',
    '  chat FakeBuiltModel',
  ]);
  expect(recorder.named('execute_tool add').map((span) => span.attributes['gen_ai.tool.call.id'])).toEqual(
    expect.arrayContaining(['one', 'two']),
  );
});

test('within a tool its step is current, and what the tool does stands below it', async () => {
  const seen: (string | undefined)[] = [];
  const look = tool(
    async ({ at }) => {
      seen.push(currentStep()?.key);
      await step(`look at ${at}`, async () => {});
      seen.push(currentStep()?.key);
      return 'seen';
    },
    { name: 'look', description: 'Looks.', schema: z.object({ at: z.string() }) },
  );
  const model = fakeModel()
    .respondWithTools([
      { name: 'look', args: { at: 'one' }, id: '1' },
      { name: 'look', args: { at: 'two' }, id: '2' },
    ])
    .respond(new AIMessage('done'));
  await createAgent({ model, tools: [look], name: 'looker' }).invoke(ask, { callbacks });
  expect(seen).toEqual(['look', 'look', 'look', 'look']);
  const tree = recorder.tree();
  for (const at of ['one', 'two'])
    expect(tree[tree.indexOf(`    look at ${at}`) - 1]).toBe('  execute_tool look');
});

test('operations and providers have the conventions’ names', async () => {
  class ChatOf extends FakeListChatModel {
    readonly #provider: string;
    constructor(provider: string) {
      super({ responses: ['hi'] });
      this.#provider = provider;
    }
    override getLsParams(options: this['ParsedCallOptions']) {
      return { ...super.getLsParams(options), ls_provider: this.#provider };
    }
  }
  for (const provider of ['azure', 'amazon_bedrock', 'openai'])
    await new ChatOf(provider).invoke('hello', { callbacks });
  await new FakeLLM({ response: 'hi' }).invoke('hello', { callbacks });
  await new FakeRetriever().invoke('what?', { callbacks });
  const seen = recorder.spans.map(({ name, kind, attributes }) => [
    name,
    kind,
    attributes['gen_ai.operation.name'],
    attributes['gen_ai.provider.name'],
  ]);
  expect(seen).toEqual([
    ['chat ChatOf', SpanKind.CLIENT, 'chat', 'azure.ai.openai'],
    ['chat ChatOf', SpanKind.CLIENT, 'chat', 'aws.bedrock'],
    ['chat ChatOf', SpanKind.CLIENT, 'chat', 'openai'],
    ['text_completion FakeLLM', SpanKind.CLIENT, 'text_completion', undefined],
    ['retrieval FakeRetriever', SpanKind.CLIENT, 'retrieval', undefined],
  ]);
});

test('an error stays the error that it was, and marks its spans', async () => {
  const failure = new RangeError('no such thing');
  const model = fakeModel().respond(failure);
  const without = await createAgent({ model: fakeModel().respond(failure), tools: [] })
    .invoke(ask)
    .catch((error: unknown) => error);
  const thrown = await createAgent({ model, tools: [] })
    .invoke(ask, { callbacks })
    .catch((error: unknown) => error);
  expect(thrown).toBe(without);
  expect(thrown).toBe(failure);
  for (const name of ['chat FakeBuiltModel', 'invoke_agent LangGraph']) {
    expect(recorder.named(name)[0]?.status.code).toBe(SpanStatusCode.ERROR);
    expect(recorder.named(name)[0]?.attributes['error.type']).toBe('RangeError');
  }
});

test('a tool that fails, and whose error the agent turns into a message, ends as failed; the agent does not', async () => {
  const fail = tool(async () => Promise.reject(new TypeError('bad')), {
    name: 'fail',
    description: 'Fails.',
    schema: z.object({}),
  });
  const run = (options: object) =>
    createAgent({
      model: fakeModel()
        .respondWithTools([{ name: 'fail', args: {}, id: '1' }])
        .respond(new AIMessage('never mind')),
      tools: [fail],
    }).invoke(ask, options);
  const plain = await run({});
  const { messages } = await run({ callbacks });
  expect(messages.map((message) => message.text)).toEqual(plain.messages.map((message) => message.text));
  expect(recorder.named('execute_tool fail')[0]?.status.code).toBe(SpanStatusCode.ERROR);
  expect(recorder.named('invoke_agent LangGraph')[0]?.status.code).not.toBe(SpanStatusCode.ERROR);
});

test('each attempt of a retried model is a step of its own', async () => {
  const model = fakeModel().respond(new Error('busy')).respond(new AIMessage('at last'));
  const answer = await model.withRetry({ stopAfterAttempt: 2 }).invoke('hello', { callbacks });
  expect(answer.text).toBe('at last');
  expect(recorder.named('chat FakeBuiltModel').map((span) => span.status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ]);
});

test("the user's own steps between the agent and its model calls keep their place", async () => {
  const model = fakeModel().respond(new AIMessage('inner'));
  const outer = tool(
    async (_args, config) => (await step('mine', () => model.invoke('hello', config))).text,
    { name: 'outer', description: 'Asks another model.', schema: z.object({}) },
  );
  await step('before', () => outer.invoke({}, { callbacks }));
  expect(recorder.tree()).toEqual([
    'before',
    '  execute_tool outer',
    '    mine',
    '      chat FakeBuiltModel',
  ]);
});

test('after the run, what was current before it is current again', async () => {
  await step('before', async () => {
    await fakeModel().respond(new AIMessage('hi')).invoke('hello', { callbacks });
    expect(currentStep()?.key).toBe('before');
  });
  expect(currentStep()).toBeUndefined();
});

test('a handler that is used without connect() changes nothing and keeps nothing', async () => {
  await recorder.stop();
  const model = fakeModel()
    .respondWithTools([{ name: 'add', args: { a: 1, b: 2 }, id: '1' }])
    .respond(new AIMessage('3'));
  const { messages } = await createAgent({ model, tools: [add] }).invoke(ask, { callbacks });
  expect(messages.at(-1)?.text).toBe('3');
  expect(recorder.spans).toEqual([]);
});
