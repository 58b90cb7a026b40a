import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Reply } from './chat-protocol.ts';
import { createModelServer } from './model-server.ts';

const latencies = [{ provider: 'test', model: '1b', ttftMs: 2, interTokenMs: 10 }];
const model = 'test/llama-2-1b-chat';
const reply: Reply = {
  text: 'Let me see.',
  calls: [{ id: 'call_0_0', name: 'look', args: { at: 'the sky' } }],
};

let server: ReturnType<typeof createModelServer>;
let base: string;

beforeEach(async () => {
  server = createModelServer({ reply: () => reply, seed: 1, speed: 1, latencies });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function complete(body: object | string): Promise<Response> {
  return fetch(`${base}/v1/chat/completions`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const ask = { model, messages: [{ role: 'user', content: 'What is up?' }] };

test('a stream is server-sent events: chunks, a finish reason, the usage that was asked for, [DONE]', async () => {
  const response = await complete({ ...ask, stream: true, stream_options: { include_usage: true } });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const events = (await response.text()).split('\n\n');
  expect(events.pop()).toBe('');
  expect(events.pop()).toBe('data: [DONE]');
  const chunks = events.map((event) => JSON.parse(event.replace(/^data: /, '')));
  expect(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.model === model)).toBe(
    true,
  );
  expect(chunks[0].choices[0].delta.role).toBe('assistant');
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(reply.text);
  const pieces = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
  expect(pieces[0]).toMatchObject({ index: 0, id: 'call_0_0', type: 'function', function: { name: 'look' } });
  expect(JSON.parse(pieces.map((piece) => piece.function.arguments).join(''))).toEqual({ at: 'the sky' });
  expect(chunks.at(-2).choices[0].finish_reason).toBe('tool_calls');
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3 } });
});

test('a stream arrives in pieces, not in one', async () => {
  const response = await complete({ ...ask, stream: true });
  let reads = 0;
  for await (const _ of response.body ?? []) reads += 1;
  expect(reads).toBeGreaterThan(1);
});

test('without stream, one JSON object', async () => {
  const body = JSON.parse(await (await complete(ask)).text());
  expect(body.choices[0]).toMatchObject({
    message: { role: 'assistant', content: reply.text, tool_calls: [{ id: 'call_0_0' }] },
    finish_reason: 'tool_calls',
  });
  expect(body.usage.total_tokens).toBe(body.usage.prompt_tokens + body.usage.completion_tokens);
});

test('the models can be listed; an unknown one, a bad body and an unknown route are errors as OpenAI gives them', async () => {
  expect(await (await fetch(`${base}/v1/models`)).json()).toMatchObject({ data: [{ id: model }] });
  for (const [response, status] of [
    [await complete({ ...ask, model: 'gpt-9' }), 404],
    [await complete('{'), 400],
    [await fetch(`${base}/v2`), 404],
  ] as const) {
    expect(response.status).toBe(status);
    expect(await response.json()).toHaveProperty('error.message');
  }
});

test('a client that goes away in mid-stream ends its answer and nothing else', async () => {
  const abort = new AbortController();
  const response = await fetch(`${base}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ ...ask, stream: true }),
    signal: abort.signal,
  });
  abort.abort();
  await expect(response.text()).rejects.toThrow();
  expect((await complete(ask)).status).toBe(200);
});
