import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prewake } from '@prewake/adapters/langchain';
import { connect } from '@prewake/sdk';
import { runAgent } from './agent.ts';
import { openEndpoint } from './endpoint.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { startTelemetry } from './telemetry.ts';
import { createDatabase } from './tools/index.ts';

async function main(options: Options): Promise<void> {
  await using endpoint = await openEndpoint(options);
  if (endpoint.real)
    console.error(`model: ${options.model} at ${endpoint.baseURL ?? "OpenAI's own endpoint"}`);
  const stopTelemetry = await startTelemetry(options.spans);
  const session = connect();
  // The agent would not wait for hostd. Here the first steps shall be seen too, so that all of them can be compared.
  await session.ready();

  const directory = await mkdtemp(join(tmpdir(), 'prewake-agent-'));
  const database = createDatabase(join(directory, 'agent.db'));
  try {
    const result = await runAgent(options, {
      endpoint,
      root: options.root ?? fileURLToPath(new URL('..', import.meta.resolve('@langchain/core/tools'))),
      database,
      callbacks: [prewake()],
      ...(options.progress && {
        onProgress: (steps) => process.stderr.write(`step ${steps} of ${options.steps}\n`),
      }),
    });
    if (options.json) console.log(JSON.stringify(result));
    else
      console.log(`${result.answer}\n\n${result.steps.model} model calls, ${result.steps.tool} tool calls`);
  } finally {
    database.close();
    await rm(directory, { recursive: true, force: true });
    await session.settled();
    await stopTelemetry();
    await session.shutdown();
  }
}

let options: Options | undefined;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}; --help lists the options`);
  process.exitCode = 2;
}
if (options?.help) console.log(USAGE);
else if (options) await main(options);
