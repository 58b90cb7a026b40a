import { setTimeout as sleep } from 'node:timers/promises';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { Annotation, END, interrupt, MemorySaver, Send, START, StateGraph } from '@langchain/langgraph';
import { step, wait } from '@prewake/sdk';

const State = Annotation.Root({
  cities: Annotation<string[]>,
  readings: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
  report: Annotation<string>,
  approved: Annotation<boolean>,
});

/** Reads the weather of several cities at once, lets a model write a report, and asks a person to approve it. */
export function weatherGraph(model: BaseChatModel) {
  return new StateGraph(State)
    .addNode('measure', measure)
    .addNode('write', async ({ readings }) => {
      const prompt = `Write a report: ${readings.toSorted().join(', ')}`;
      let report = '';
      // The handler comes with LangChain's own context: nothing has to be passed on.
      for await (const chunk of await model.stream(prompt)) report += chunk.text;
      return { report };
    })
    .addNode('approve', ({ report }) => ({ approved: interrupt<string, string>(report) === 'yes' }))
    .addConditionalEdges(START, ({ cities }) => cities.map((city) => new Send('measure', city)))
    .addEdge('measure', 'write')
    .addEdge('write', 'approve')
    .addEdge('approve', END)
    .compile({ checkpointer: new MemorySaver(), name: 'weather' });
}

/** A node's own step, with its own wait: it stands below the agent, beside the model's and the tools' steps. */
function measure(city: string) {
  return step({ kind: 'sensor', key: 'thermometer' }, async () => {
    const degrees = await wait(readThermometer(city), { afterMs: 60 });
    return { readings: [`${city} ${degrees} °C`] };
  });
}

/** Stands in for a slow device: always the same figure for a city. */
async function readThermometer(city: string): Promise<number> {
  await sleep(60);
  return [...city].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 35;
}
