import { createHash } from 'node:crypto';
import type { CallbackHandlerMethods } from '@langchain/core/callbacks/base';
import type { BaseMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { AIMessage, createAgent, ToolMessage } from 'langchain';
import type { Database } from 'node-sqlite3-wasm';
import type { Endpoint } from './endpoint.ts';
import type { Options } from './options.ts';
import { createTools } from './tools/index.ts';

/** What a run came to. It has no times in it, so that two runs can be compared byte for byte. */
export interface RunResult {
  answer: string;
  steps: { model: number; tool: number };
  tools: { id: string; name: string; status: string; sha256: string }[];
  /** Of all messages: equal where two runs said and did the same. */
  sha256: string;
}

export interface Parts {
  endpoint: Pick<Endpoint, 'baseURL' | 'apiKey'>;
  root: string;
  database: Database;
  callbacks: CallbackHandlerMethods[];
  /** Called with the number of steps so far. */
  onProgress?: (steps: number) => void;
}

/** Runs the agent once, until its model calls no more tools. */
export async function runAgent(options: Options, parts: Parts): Promise<RunResult> {
  const agent = createAgent({
    model: new ChatOpenAI({
      model: options.model,
      apiKey: parts.endpoint.apiKey,
      maxRetries: 2,
      ...(parts.endpoint.baseURL && { configuration: { baseURL: parts.endpoint.baseURL } }),
    }),
    tools: createTools(parts.root, parts.database),
    name: 'source-reader',
    systemPrompt:
      'You study a source tree with tools. Call several tools at once where they do not depend on each other.',
  });
  const question = `Find out how this source tree deals with cancellation, retries and the like, and which measured service answers first. Keep findings in the database. Make about ${options.steps} model and tool calls in all.`;
  // Streamed, as a user would want to watch it. (`invoke` with the model's own `streaming: true` would count tokens
  // with tables that it fetches from the network.)
  const stream = await agent.stream(
    { messages: [{ role: 'user', content: question }] },
    {
      callbacks: parts.callbacks,
      recursionLimit: options.steps * 3 + 10,
      streamMode: ['messages', 'values'],
    },
  );
  let messages: BaseMessage[] = [];
  for await (const [mode, chunk] of stream) {
    if (mode !== 'values') continue;
    messages = chunk.messages;
    parts.onProgress?.(messages.length - 1);
  }
  return resultOf(messages);
}

function resultOf(messages: BaseMessage[]): RunResult {
  const tools = messages.filter((message) => ToolMessage.isInstance(message));
  return {
    answer: messages.at(-1)?.text ?? '',
    steps: { model: messages.filter((message) => AIMessage.isInstance(message)).length, tool: tools.length },
    tools: tools.map((message) => ({
      id: message.tool_call_id,
      name: message.name ?? '',
      status: message.status ?? 'success',
      sha256: digest(message.text),
    })),
    sha256: digest(JSON.stringify(messages.map((message) => [message.type, message.text]))),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
