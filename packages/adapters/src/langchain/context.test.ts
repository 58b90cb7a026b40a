import { AIMessage } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
import { fakeModel } from '@langchain/core/testing';
import { DynamicStructuredTool, tool } from '@langchain/core/tools';
import { trace } from '@opentelemetry/api';
import { currentStep, step } from '@prewake/sdk';
import { createAgent } from 'langchain';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { recordEachTest } from './spans.testkit.ts';

// Whose step is current, and whose span, where many runs interleave.

const { callbacks, recorder } = recordEachTest();

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * 5));

test('500 of 500 concurrent tool runs find their own step and span current, before and after they wait', async () => {
  let right = 0;
  const check = tool(
    async ({ run }) => {
      const mine = () =>
        currentStep()?.key === `check-${run}` && trace.getActiveSpan() === currentStep()?.span;
      const before = mine();
      await pause();
      if (before && mine()) right += 1;
      return 'checked';
    },
    { name: 'check', description: 'Checks.', schema: z.object({ run: z.number() }) },
  );
  await Promise.all(
    Array.from({ length: 500 }, (_, run) => check.invoke({ run }, { callbacks, runName: `check-${run}` })),
  );
  expect(right).toBe(500);
  expect(recorder.tree()).toHaveLength(500);
});

test('of 100 concurrent agents, each has its own model and tool calls below it', async () => {
  const seen = new Set<string>();
  const look = tool(
    async ({ agent }) => {
      await pause();
      await step(`look-${agent}`, pause);
      if (currentStep()?.key === 'look') seen.add(agent);
      return agent;
    },
    { name: 'look', description: 'Looks.', schema: z.object({ agent: z.string() }) },
  );
  const names = Array.from({ length: 100 }, (_, index) => `agent-${index}`);
  await Promise.all(
    names.map((name) => {
      const call = (id: string) => ({ name: 'look', args: { agent: name }, id });
      const model = fakeModel()
        .respondWithTools([call('1'), call('2')])
        .respond(new AIMessage('done'));
      return createAgent({ model, tools: [look], name }).invoke({ messages: 'look' }, { callbacks });
    }),
  );
  expect(seen.size).toBe(100);
  expect(
    recorder
      .tree()
      .join('\n')
      .split(/\n(?=invoke)/)
      .sort(),
  ).toEqual(
    names
      .map((name) =>
        [
          `invoke_agent ${name}`,
          '  chat FakeBuiltModel',
          '  execute_tool look',
          `    look-${name}`,
          '  execute_tool look',
          `    look-${name}`,
          '  chat FakeBuiltModel',
        ].join('\n'),
      )
      .sort(),
  );
});

// Without a schema that has to be awaited, a tool's callbacks run before its invoke() returns.
const plain = (name: string) =>
  new DynamicStructuredTool({
    name,
    description: 'Tells the current step.',
    schema: { type: 'object', properties: {} },
    func: async () => {
      await pause();
      return currentStep()?.key ?? 'none';
    },
  });
const nothing = {} as never;

test('runs that begin in one synchronous stretch are siblings', async () => {
  const both = RunnableLambda.from((_input: string, config) =>
    Promise.all([plain('one').invoke(nothing, config), plain('two').invoke(nothing, config)]),
  );
  const around = tool((_input, config) => both.invoke('go', config), {
    name: 'around',
    description: 'Runs both.',
    schema: z.object({}),
  });
  expect(await around.invoke({}, { callbacks })).toEqual(['one', 'two']);
  expect(recorder.tree()).toEqual(['execute_tool around', '  execute_tool one', '  execute_tool two']);
});

test('what comes after an outermost run is no part of it, and neither is what begins together with it', async () => {
  const outside = () => [currentStep()?.key, trace.getActiveSpan()];
  for (const name of ['one', 'two']) expect(await plain(name).invoke(nothing, { callbacks })).toBe(name);
  expect(outside()).toEqual([undefined, undefined]);
  const both = await Promise.all(
    ['three', 'with_it'].map((name) => plain(name).invoke(nothing, { callbacks })),
  );
  expect(both).toEqual(['three', 'with_it']);
  await step('mine', async (mine) => {
    await plain('within').invoke(nothing, { callbacks });
    expect(outside()).toEqual(['mine', mine.span]);
    await step('after', pause);
  });
  expect(recorder.tree()).toEqual([
    ...['one', 'two', 'three', 'with_it'].map((name) => `execute_tool ${name}`),
    'mine',
    '  execute_tool within',
    '  after',
  ]);
});
