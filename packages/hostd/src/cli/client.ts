import type { ClientRequest, IncomingMessage } from 'node:http';
import { PrewakeError, type PrewakeErrorCode, socketCandidates } from '@prewake/sdk/protocol';
import { request } from '../daemon/node-http.ts';

/** A stopped or stalled hostd accepts connections and says nothing. */
const ANSWER_TIMEOUT_MS = 5000;

/** Talks to hostd's HTTP endpoints over its Unix socket. */
export class HostdClient {
  /** In the order in which they are tried. */
  readonly sockets: readonly string[];

  /** @param socket the only one to try; otherwise where {@link socketCandidates} says */
  constructor(socket?: string, env: NodeJS.ProcessEnv = process.env) {
    this.sockets = socket === undefined ? socketCandidates(env) : [socket];
  }

  /**
   * @throws PrewakeError `PREWAKE_NOT_RUNNING`, `PREWAKE_SOCKET_DENIED`, `PREWAKE_NO_ANSWER`, or the code that
   *   hostd answered with.
   */
  get<T>(path: string): Promise<T> {
    return this.#json('GET', path);
  }

  post<T>(path: string): Promise<T> {
    return this.#json('POST', path);
  }

  /**
   * Server-sent events, each event's data as it came, until `signal` aborts.
   * @throws PrewakeError as {@link get}; `PREWAKE_NOT_RUNNING` also where hostd ends meanwhile
   */
  async *events(path: string, signal?: AbortSignal): AsyncGenerator<string> {
    try {
      const response = await this.#send('GET', path, signal);
      if (response.statusCode !== 200) throw refusal(await textOf(response), response.statusCode);
      let rest = '';
      for await (const chunk of textIn(response)) {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const data = block.split('\n').filter((line) => line.startsWith('data: '));
          if (data.length > 0) yield data.map((line) => line.slice(6)).join('\n');
        }
      }
      throw new PrewakeError('PREWAKE_NOT_RUNNING', 'hostd has ended');
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  async #json<T>(method: string, path: string): Promise<T> {
    const response = await this.#send(method, path);
    const text = await textOf(response);
    if (response.statusCode !== 200) throw refusal(text, response.statusCode);
    return JSON.parse(text) as T;
  }

  async #send(method: string, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
    let error: unknown;
    for (const socketPath of this.sockets) {
      try {
        return await answerOf(request({ socketPath, method, path, signal, agent: false }), socketPath);
      } catch (failure) {
        // Another socket may be open where this one is absent; one that denies or stalls is hostd's own.
        error = failure;
        if ((failure as PrewakeError).code !== 'PREWAKE_NOT_RUNNING') break;
      }
    }
    if ((error as PrewakeError).code !== 'PREWAKE_NOT_RUNNING') throw error;
    const places = this.sockets.join(' or ');
    throw new PrewakeError(
      'PREWAKE_NOT_RUNNING',
      `hostd is not running: nothing listens on ${places} (prewake hostd starts it)`,
      { cause: (error as PrewakeError).cause },
    );
  }
}

function answerOf(sent: ClientRequest, socketPath: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const stalled = () =>
      new PrewakeError('PREWAKE_NO_ANSWER', `hostd does not answer on ${socketPath} (is it stopped?)`);
    const timer = setTimeout(() => sent.destroy(stalled()), ANSWER_TIMEOUT_MS);
    sent.on('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    sent.on('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(cause instanceof PrewakeError ? cause : connectionError(cause, socketPath));
    });
    sent.end();
  });
}

function connectionError(cause: NodeJS.ErrnoException, socketPath: string): PrewakeError {
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new PrewakeError('PREWAKE_NOT_RUNNING', `nothing listens on ${socketPath}`, { cause });
    case 'EACCES':
    case 'EPERM':
      return new PrewakeError('PREWAKE_SOCKET_DENIED', `this user may not connect to ${socketPath}`, {
        cause,
      });
    default:
      return new PrewakeError('PREWAKE_NO_ANSWER', `hostd on ${socketPath}: ${cause.message}`, { cause });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of textIn(response)) text += chunk;
  return text;
}

/** @throws PrewakeError PREWAKE_NOT_RUNNING where it breaks off */
async function* textIn(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  try {
    yield* response;
  } catch (cause) {
    throw new PrewakeError(
      'PREWAKE_NOT_RUNNING',
      'the connection broke off: hostd was killed, or does not wait for a reader this slow',
      { cause },
    );
  }
}

function refusal(text: string, status = 0): PrewakeError {
  try {
    const { error } = JSON.parse(text) as { error: { code: PrewakeErrorCode; message: string } };
    return new PrewakeError(error.code, error.message);
  } catch (cause) {
    return new PrewakeError('PREWAKE_NO_ANSWER', `what answered with ${status} is not hostd`, { cause });
  }
}
