// The model server's process: prints its address as a line of JSON, and ends when its stdin does, so that it
// never outlives the agent that started it.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createModelServer } from './model-server.ts';
import { scenario } from './scenario.ts';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    speed: { type: 'string', default: '1' },
    port: { type: 'string', default: '0' },
  },
});

const server = createModelServer({
  reply: scenario(Number(values.steps)),
  seed: Number(values.seed),
  speed: Number(values.speed),
});
server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
console.log(JSON.stringify({ baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }));

process.stdin.resume();
await once(process.stdin, 'end');
process.exit(0);
