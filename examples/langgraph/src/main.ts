import { FakeListChatModel } from '@langchain/core/utils/testing';
import { Command } from '@langchain/langgraph';
import { prewake } from '@prewake/adapters/langchain';
import { connect } from '@prewake/sdk';
import { weatherGraph } from './graph.ts';

const session = connect();
// LangChain's own fake, so that no key is needed: it streams its answer letter by letter.
const model = new FakeListChatModel({ responses: ['It is mild everywhere.'], sleep: 10 });
const graph = weatherGraph(model);
const config = { callbacks: [prewake()], configurable: { thread_id: 'today' } };

const asked = await graph.invoke({ cities: ['Oslo', 'Porto', 'Quito'] }, config);
console.log(`Readings: ${asked.readings.toSorted().join(', ')}`);
console.log(`Report: ${asked.report}`);

const answered = await graph.invoke(new Command({ resume: process.argv[2] ?? 'yes' }), config);
console.log(`Approved: ${answered.approved ? 'yes' : 'no'}`);
await session.shutdown();
