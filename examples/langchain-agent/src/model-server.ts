import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ChatMessage,
  type ChatRequest,
  deltasOf,
  messageOf,
  type Reply,
  textOf,
  tokensOf,
} from './chat-protocol.ts';
import { type Latency, modelName, pickLatency, readLatencies } from './latency.ts';

export interface ModelServerOptions {
  /** Decides the answer from the conversation so far; the same conversation gets the same answer. */
  reply: (messages: ChatMessage[]) => Reply;
  /** Chooses the measured latencies that are replayed. */
  seed: number;
  /** Latencies are divided by this: 4 is four times as fast. */
  speed: number;
  latencies?: Latency[];
}

/** An OpenAI-compatible server: `GET /v1/models`, `POST /v1/chat/completions`, streamed as server-sent events or whole. */
export function createModelServer(options: ModelServerOptions): Server {
  const models = new Map<string, Latency[]>();
  for (const row of options.latencies ?? readLatencies()) {
    const rows = models.get(modelName(row)) ?? [];
    models.set(modelName(row), [...rows, row]);
  }
  return createServer((request, response) => {
    route(request, response, models, options).catch((error: unknown) => {
      // The client went away in mid-stream: nobody is left to tell.
      if (response.headersSent) response.destroy();
      else fail(response, 400, 'invalid_request_error', String(error));
    });
  });
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  models: Map<string, Latency[]>,
  options: ModelServerOptions,
): Promise<void> {
  const received = performance.now();
  if (request.method === 'GET' && request.url === '/v1/models') {
    const data = [...models.keys()].map((id) => ({ id, object: 'model' }));
    return sendJson(response, 200, { object: 'list', data });
  }
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
    return fail(response, 404, 'not_found_error', `no such route: ${request.method} ${request.url}`);
  const chat = (await json(request)) as ChatRequest;
  const rows = models.get(chat.model);
  if (!rows)
    return fail(response, 404, 'model_not_found', `no such model: ${chat.model}; GET /v1/models lists them`);
  const turn = chat.messages.filter((message) => message.role === 'assistant').length;
  await answer(response, chat, options.reply(chat.messages), {
    received,
    turn,
    latency: pickLatency(rows, options.seed, turn),
    speed: options.speed,
  });
}

interface Pace {
  received: number;
  turn: number;
  latency: Latency;
  speed: number;
}

async function answer(response: ServerResponse, chat: ChatRequest, reply: Reply, pace: Pace): Promise<void> {
  const deltas = deltasOf(reply);
  const finish_reason = reply.calls.length > 0 ? 'tool_calls' : 'stop';
  const prompt_tokens = chat.messages.reduce((sum, message) => sum + tokensOf(textOf(message)).length, 0);
  const completion_tokens = deltas.length;
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  const head = { id: `chatcmpl-${pace.turn}`, created: 0, model: chat.model };
  const abort = new AbortController();
  response.on('close', () => abort.abort());

  if (!chat.stream) {
    await until(dueAt(deltas.length - 1, pace), abort.signal);
    const choices = [{ index: 0, message: messageOf(reply), finish_reason }];
    return sendJson(response, 200, { ...head, object: 'chat.completion', choices, usage });
  }

  // Services send the headers at once and the first token when they have it.
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  const send = (choices: object[], more?: object) =>
    response.write(
      `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`,
    );
  for (const [index, delta] of deltas.entries()) {
    await until(dueAt(index, pace), abort.signal);
    send([
      {
        index: 0,
        delta: index === 0 ? { role: 'assistant', content: '', ...delta } : delta,
        finish_reason: null,
      },
    ]);
  }
  send([{ index: 0, delta: {}, finish_reason }]);
  if (chat.stream_options?.include_usage) send([], { usage });
  response.end('data: [DONE]\n\n');
}

/** When a token is due on performance.now()'s clock: by the plan, so that a late timer does not delay all that follow. */
function dueAt(token: number, { received, latency, speed }: Pace): number {
  return received + (latency.ttftMs + token * latency.interTokenMs) / speed;
}

async function until(due: number, signal: AbortSignal): Promise<void> {
  const left = due - performance.now();
  if (left > 0) await sleep(left, undefined, { signal });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, type: string, message: string): void {
  sendJson(response, status, { error: { type, message } });
}
