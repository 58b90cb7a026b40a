import type { IncomingMessage, ServerResponse } from 'node:http';
import { PrewakeError } from '@prewake/sdk/protocol';
import type { Peer } from '../kernel/peer.ts';
import type { Access } from './access.ts';
import type { EventStream } from './event-stream.ts';
import { keepConnection, sendError, sendJson } from './http-server.ts';
import type { Metrics } from './metrics.ts';
import { MAX_REASON } from './pause-file.ts';

/** What the endpoints show and do. `uid` limits the answer to one user's own; undefined: everything. */
export interface Views {
  status(): object;
  capabilities(): object;
  sessions(uid: number | undefined): object[];
  leases(uid: number | undefined): object[];
  budgets(uid: number | undefined): object[];
  /** @throws PrewakeError PREWAKE_BAD_QUERY */
  stats(query: URLSearchParams, uid: number | undefined): object;
  /** What is learned of one user's waits. */
  classes(uid: number): object[];
  pause(reason: string): void;
  resume(): void;
}

export interface RouteOptions {
  views: Views;
  access: Access;
  events: EventStream;
  metrics: Metrics;
}

/** The HTTP endpoints of docs/protocol.md. Every answer is JSON, but for `/metrics` and `/v1/events`. */
export function createRoutes({ views, access, events, metrics }: RouteOptions) {
  return (request: IncomingMessage, response: ServerResponse, peer: Peer): void => {
    const url = URL.parse(request.url ?? '/', 'http://hostd');
    if (!url) {
      sendError(response, new PrewakeError('PREWAKE_NOT_FOUND', `no path: ${request.url}`), 404);
      return;
    }
    const method = request.method ?? '';
    if (method === 'GET' && url.pathname === '/metrics') {
      void sendMetrics(response, metrics, access.limitOf(peer));
      return;
    }
    const name = /^\/v1\/([a-z]+)$/.exec(url.pathname)?.[1] ?? '';
    if (name === 'events' && method === 'GET') {
      keepConnection(request.socket);
      events.add(response, access.limitOf(peer));
      return;
    }
    try {
      const body = answer(name, method, url.searchParams, peer);
      sendJson(response, body);
    } catch (error) {
      sendError(response, error, statusOf(error));
    }
  };

  function answer(name: string, method: string, query: URLSearchParams, peer: Peer): object {
    if (name === 'pause' || name === 'resume') {
      demandMethod(method, 'POST');
      access.demandAdmin(peer);
      if (name === 'pause') views.pause((query.get('reason') ?? '').slice(0, MAX_REASON));
      else views.resume();
      return views.status();
    }
    const uid = access.limitOf(peer);
    const answers: Record<string, () => object> = {
      status: () => views.status(),
      capabilities: () => views.capabilities(),
      sessions: () => ({ sessions: views.sessions(uid) }),
      leases: () => ({ leases: views.leases(uid) }),
      budgets: () => ({ buckets: views.budgets(uid) }),
      stats: () => views.stats(query, uid),
      classes: () => ({ classes: views.classes(userAsked(query, peer, uid)) }),
    };
    const view = Object.hasOwn(answers, name) ? answers[name] : undefined;
    if (!view) throw new PrewakeError('PREWAKE_NOT_FOUND', 'no such endpoint; docs/protocol.md lists them');
    demandMethod(method, 'GET');
    return view();
  }
}

/** One's own classes, and for an administrator those of `?user=UID`. */
function userAsked(query: URLSearchParams, peer: Peer, limit: number | undefined): number {
  const asked = query.get('user');
  if (asked === null) return peer.uid;
  if (!/^\d{1,10}$/.test(asked)) throw new PrewakeError('PREWAKE_BAD_QUERY', `user=${asked}: not a uid`);
  if (limit !== undefined && Number(asked) !== limit)
    throw new PrewakeError('PREWAKE_FORBIDDEN', "another user's classes are not yours to see");
  return Number(asked);
}

function demandMethod(method: string, wanted: string): void {
  if (method !== wanted) throw new PrewakeError('PREWAKE_METHOD', `use ${wanted}`);
}

const STATUS: Record<string, number> = {
  PREWAKE_NOT_FOUND: 404,
  PREWAKE_METHOD: 405,
  PREWAKE_FORBIDDEN: 403,
  PREWAKE_BAD_QUERY: 400,
};

const statusOf = (error: unknown): number =>
  (error instanceof PrewakeError ? STATUS[error.code] : undefined) ?? 500;

/** `GET /metrics`, also served on a TCP port where the configuration asks for one. */
export async function sendMetrics(response: ServerResponse, metrics: Metrics, uid?: number): Promise<void> {
  try {
    const { contentType, text } = await metrics.page(uid);
    response.writeHead(200, { 'content-type': contentType });
    response.end(text);
  } catch (error) {
    sendError(response, error);
  }
}
