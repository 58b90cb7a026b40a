import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Options } from './options.ts';

/** Where the model is. */
export interface Endpoint extends AsyncDisposable {
  baseURL: string | undefined;
  apiKey: string;
  /** A service that may cost money, and not the server of our own. */
  real: boolean;
}

/**
 * Starts a program and leaves it to init: it shall be no child of the agent, or its work would be counted as the
 * agent's. Its stdin is a pipe of the agent's (fd 3: Node closes fd 0 with the shell), so that it ends with the agent.
 */
const DETACHED = '"$@" <&3 3<&- &';

/** The real endpoint, where the environment names one; else a model server of our own in a process of its own. */
export async function openEndpoint(
  options: Options,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Endpoint> {
  if (env.OPENAI_API_KEY)
    return {
      baseURL: env.OPENAI_BASE_URL,
      apiKey: env.OPENAI_API_KEY,
      real: true,
      async [Symbol.asyncDispose]() {},
    };
  const { steps, seed, speed } = options;
  const main = fileURLToPath(new URL('./server-main.ts', import.meta.url));
  const args = [main, '--steps', `${steps}`, '--seed', `${seed}`, '--speed', `${speed}`];
  const server = spawn('sh', ['-c', DETACHED, 'sh', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const lifeline = server.stdio[3] as Writable;
  const closed = once(server, 'close');
  const line = await Promise.race([
    once(createInterface(server.stdio[1] as Readable), 'line'),
    closed.then(() => Promise.reject(new Error('the model server ended before it was ready'))),
  ]);
  return {
    baseURL: JSON.parse(line[0]).baseURL,
    apiKey: 'none-needed',
    real: false,
    async [Symbol.asyncDispose]() {
      lifeline.end();
      await closed;
    },
  };
}
