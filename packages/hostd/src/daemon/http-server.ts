import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HEADER, negotiateVersion, PrewakeError, SESSION_PATH, UPGRADE_OFFER } from '@prewake/sdk/protocol';
import { type Peer, peerOf, uidOf } from '../kernel/peer.ts';
import { directSocket } from '../session/direct-socket.ts';
import type { SessionConnect } from '../session/session.ts';
import { Crowd } from './crowd.ts';
import { createServer } from './node-http.ts';

/** Connections that are no session (requests, readers of events, the silent) of one user at a time. */
const MAX_CONNECTIONS_PER_USER = 256;

/** A request must be whole and answered within this time; sessions and event streams are exempt. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface HttpHandlers {
  request(request: IncomingMessage, response: ServerResponse, peer: Peer): void;
  /**
   * Takes the connection for a session, or gives a status and a code for its refusal.
   * @param accept takes what is said to the peer, and gives the connection
   */
  session(
    peer: Peer,
    client: string,
    accept: (headers: Record<string, string>) => SessionConnect,
  ): { status: number; error: PrewakeError } | undefined;
}

/** HTTP on a Unix socket. At rest it has no timer and no wakeup. */
export function createHttpServer(handlers: HttpHandlers): Server {
  const server = createServer({
    // Node's checker wakes twice a minute for ever; the deadline of each connection below does its work.
    connectionsCheckingInterval: 2 ** 31 - 1,
    maxHeaderSize: 8192,
  });
  const crowd = new Crowd(MAX_CONNECTIONS_PER_USER);
  server.on('connection', (socket: Socket) => {
    const leave = crowd.enter(uidOf(socket));
    if (!leave) {
      socket.destroy();
      return;
    }
    const deadline = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS).unref();
    socket.once('close', () => {
      clearTimeout(deadline);
      leave();
    });
    deadlines.set(socket, deadline);
  });
  server.on('request', (request, response) => {
    // Nothing is read from whoever reads events: more requests would only be kept.
    if (!deadlines.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    if (pathOf(request) === SESSION_PATH) {
      response.setHeader('connection', 'Upgrade').setHeader('upgrade', UPGRADE_OFFER);
      sendError(response, notSpoken(), 426);
      return;
    }
    try {
      handlers.request(request, response, peerOf(request.socket));
    } catch (error) {
      sendError(response, error);
    }
  });
  server.on('upgrade', (request, stream, head) => {
    // A Unix server's streams are sockets; @types/node says Duplex for the TLS case.
    upgrade(handlers, request, stream as Socket, head);
  });
  server.on('clientError', (_error, stream) => {
    stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return server;
}

/** When each connection is ended. Of one that has made its last request there is none. */
const deadlines = new WeakMap<Socket, NodeJS.Timeout>();

/** Exempts a connection from the request deadline. It has made its last request: another one ends it. */
export function keepConnection(socket: Socket): void {
  clearTimeout(deadlines.get(socket));
  deadlines.delete(socket);
}

function upgrade(handlers: HttpHandlers, request: IncomingMessage, stream: Socket, head: Buffer): void {
  const refuse = (status: string, error: PrewakeError, headers = '') => {
    const body = `${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`;
    stream.on('error', () => {});
    stream.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    stream.destroySoon();
  };
  const path = pathOf(request);
  if (path !== SESSION_PATH) {
    refuse('404 Not Found', new PrewakeError('PREWAKE_NOT_FOUND', `nothing to upgrade at ${path}`));
    return;
  }
  const version = negotiateVersion(request.headers.upgrade);
  if (version === undefined) {
    refuse('426 Upgrade Required', notSpoken(), `Upgrade: ${UPGRADE_OFFER}\r\n`);
    return;
  }
  try {
    const client = String(request.headers[HEADER.client] ?? '').slice(0, 200);
    const refused = handlers.session(peerOf(stream), client, (headers) => (data) => {
      const lines = Object.entries({ Upgrade: `prewake/${version}`, Connection: 'Upgrade', ...headers });
      const socket = directSocket(stream, head, data);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
      );
      return socket;
    });
    if (refused) refuse(`${refused.status} Refused`, refused.error);
  } catch (error) {
    refuse(
      '403 Forbidden',
      error instanceof PrewakeError ? error : new PrewakeError('PREWAKE_INTERNAL', String(error)),
    );
  }
}

const pathOf = (request: IncomingMessage) => request.url?.split('?')[0];

/** A session is asked for in no version that hostd speaks, or as if it were an ordinary request. */
const notSpoken = () =>
  new PrewakeError('PREWAKE_VERSION_MISMATCH', `hostd speaks ${UPGRADE_OFFER}, after an upgrade`);

/** Answers with a coded error. */
export function sendError(response: ServerResponse, error: unknown, status = 500): void {
  const coded =
    error instanceof PrewakeError
      ? error
      : new PrewakeError('PREWAKE_INTERNAL', 'hostd failed to answer', { cause: error });
  sendJson(response, { error: { code: coded.code, message: coded.message } }, status);
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}
