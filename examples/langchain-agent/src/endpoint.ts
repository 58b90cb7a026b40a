import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Options } from './options.ts';

/** Where the model is. */
export interface Endpoint extends AsyncDisposable {
  baseURL: string | undefined;
  apiKey: string;
}

/** The real endpoint, where the environment names one; else a model server of our own in a process of its own. */
export async function openEndpoint(
  options: Options,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Endpoint> {
  if (env.OPENAI_API_KEY)
    return {
      baseURL: env.OPENAI_BASE_URL,
      apiKey: env.OPENAI_API_KEY,
      async [Symbol.asyncDispose]() {},
    };
  const { steps, seed, speed } = options;
  const main = fileURLToPath(new URL('./server-main.ts', import.meta.url));
  const server = spawn(
    process.execPath,
    [main, '--steps', `${steps}`, '--seed', `${seed}`, '--speed', `${speed}`],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const exited = once(server, 'exit');
  const line = await Promise.race([
    once(createInterface(server.stdout), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`the model server ended with code ${code}`))),
  ]);
  return {
    baseURL: JSON.parse(line[0]).baseURL,
    apiKey: 'none-needed',
    async [Symbol.asyncDispose]() {
      server.stdin.end();
      await exited;
    },
  };
}
