import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Something to wait for: a service on loopback that answers after 100 ms. Gives its address. */
export async function startSlowService(): Promise<string> {
  const server = createServer((_request, response) => setTimeout(() => response.end('{"ready":true}'), 100));
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
