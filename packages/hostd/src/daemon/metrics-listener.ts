import type { Server } from 'node:http';
import { PrewakeError } from '@prewake/sdk/protocol';
import type { Metrics } from './metrics.ts';
import { createServer } from './node-http.ts';
import { sendMetrics } from './routes.ts';

/** Whoever is silent for so long is cut off, and no more than so many connections are held. */
const SILENT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/**
 * `/metrics` over TCP, for a Prometheus that can't scrape a Unix socket. Off unless the configuration asks.
 * @throws PrewakeError PREWAKE_LISTEN
 */
export async function listenForMetrics(
  at: { host: string; port: number },
  metrics: Metrics,
): Promise<Server> {
  const server = createServer({ connectionsCheckingInterval: 2 ** 31 - 1 }, (request, response) => {
    if (request.method === 'GET' && request.url?.split('?')[0] === '/metrics')
      void sendMetrics(response, metrics);
    else response.writeHead(404).end();
  });
  server.timeout = SILENT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `cannot listen on ${at.host}:${at.port}: ${cause.message}`;
      reject(new PrewakeError('PREWAKE_LISTEN', message, { cause }));
    });
    server.listen(at.port, at.host, resolve);
  });
  return server;
}
