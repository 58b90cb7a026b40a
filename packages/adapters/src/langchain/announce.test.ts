import { AIMessage } from '@langchain/core/messages';
import { fakeModel } from '@langchain/core/testing';
import { tool } from '@langchain/core/tools';
import { FakeListChatModel, FakeRetriever } from '@langchain/core/utils/testing';
import { createAgent } from 'langchain';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
// @ts-expect-error TS2878: the path is wrong among the compiled files; tests run from source.
import { TestHostd, until } from '../../../sdk/src/hostd.testkit.ts';
import { prewake } from './index.ts';
import { SpanRecorder } from './spans.testkit.ts';

// What hostd gets to know, over a real socket.

let hostd: TestHostd;
let recorder: SpanRecorder;
const handler = prewake();
const callbacks = [handler];

beforeEach(async () => {
  hostd = await new TestHostd().listen();
  recorder = await new SpanRecorder().start(hostd.socketPath);
});

afterEach(async () => {
  await recorder.stop();
  await hostd.remove();
  expect(hostd.errors).toEqual([]);
  expect(handler.openRuns).toBe(0);
});

const ended = (steps: number) => until('the ends', () => hostd.of('step_end').length === steps);

test('a model call is a step of kind llm that is one wait; so is a tool call; the agent is around them', async () => {
  const add = tool(async () => '3', { name: 'add', description: 'Adds.', schema: z.object({}) });
  const model = fakeModel()
    .respondWithTools([{ name: 'add', args: {}, id: '1' }])
    .respond(new AIMessage('3'));
  await createAgent({ model, tools: [add], name: 'adder' }).invoke({ messages: 'add' }, { callbacks });
  await ended(4);
  const [agent, ...steps] = hostd.of('step');
  expect(agent).toMatchObject({ kind: 'agent', key: 'adder' });
  expect(steps).toMatchObject(
    [
      ['llm', 'FakeBuiltModel'],
      ['tool', 'add'],
      ['llm', 'FakeBuiltModel'],
    ].map(([kind, key]) => ({ kind, key, parent: agent?.id })),
  );
  expect(hostd.of('wait').map((wait) => wait.step)).toEqual(steps.map((step) => step.id));
  expect(hostd.of('wait_end').map((end) => end.cancelled ?? false)).toEqual([false, false, false]);
});

test('a stream signals its first token and those after it, and the next call says that it streams', async () => {
  const model = new FakeListChatModel({ responses: ['Hello there'], sleep: 6 });
  for (let call = 0; call < 2; call++)
    for await (const _ of await model.stream('hi', { callbacks })) expect(handler.openRuns).toBe(1);
  await ended(2);
  const signals = hostd.of('signal').filter((signal) => signal.wait === 1);
  expect(signals[0]?.signal).toBe('first_token');
  expect(signals.slice(1).every((signal) => signal.signal === 'token')).toBe(true);
  expect(signals.length).toBeGreaterThan(1);
  expect(hostd.of('wait').map((wait) => wait.stream ?? false)).toEqual([false, true]);
});

test('nothing is learned from a model call that failed or was given up; a tool that failed did answer', async () => {
  await fakeModel()
    .respond(new Error('busy'))
    .invoke('hi', { callbacks })
    .catch(() => {});
  const abort = new AbortController();
  const slow = new FakeListChatModel({ responses: ['a long answer'], sleep: 20 });
  const reading = (async () => {
    for await (const _ of await slow.stream('hi', { callbacks, signal: abort.signal })) abort.abort();
  })();
  await expect(reading).rejects.toThrow();
  const fail = tool(async () => Promise.reject(new Error('no')), {
    name: 'fail',
    description: 'Fails.',
    schema: z.object({}),
  });
  await expect(fail.invoke({}, { callbacks })).rejects.toThrow('no');
  await ended(3);
  const kinds = new Map(hostd.of('wait').map((wait) => [wait.id, wait.kind]));
  const outcomes = hostd.of('wait_end').map((end) => [kinds.get(end.id), end.cancelled ?? false]);
  expect(outcomes.sort()).toEqual([
    ['llm', true],
    ['llm', true],
    ['tool', false],
  ]);
});

test('a retriever is a wait too', async () => {
  await new FakeRetriever().invoke('what?', { callbacks });
  await ended(1);
  expect(hostd.of('wait')).toMatchObject([{ kind: 'retriever', key: 'FakeRetriever' }]);
});
