import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../guarded.ts';
import {
  HEADER,
  type HostdFrame,
  LineSplitter,
  monotonicMicros,
  negotiateVersion,
  PrewakeError,
  ProtocolError,
  parseHostdFrame,
  SESSION_PATH,
  UPGRADE_OFFER,
} from '../protocol/index.ts';
import { VERSION } from '../version.ts';
import type { Sink } from './outbox.ts';

/** A session that was not accepted in this time never will be: hostd is stopped. */
const HANDSHAKE_MS = 2000;

export interface SessionEvents {
  /** The upgrade was accepted. */
  open(sink: Sink): void;
  frame(frame: HostdFrame): void;
  /** Over, or never begun. Called once, last. */
  closed(error: PrewakeError): void;
}

const failure = (message: string, cause?: unknown) =>
  new PrewakeError('PREWAKE_DISCONNECTED', message, { cause });

function refusal(response: IncomingMessage): PrewakeError {
  if (response.statusCode === 426) {
    const hostd = response.headers[HEADER.hostd] ?? 'unknown';
    return new PrewakeError(
      'PREWAKE_VERSION_MISMATCH',
      `hostd ${hostd} speaks ${response.headers.upgrade ?? 'another protocol'}, this SDK (${VERSION}) ${UPGRADE_OFFER}`,
    );
  }
  return new PrewakeError('PREWAKE_REFUSED', `hostd answered ${response.statusCode}`);
}

/** One attempt at a session on one socket. Holds no process open and never throws. @returns its abort. */
export function openSession(socketPath: string, events: SessionEvents): () => void {
  let over = false;
  let socket: Socket | undefined;
  let attempt: ClientRequest | undefined;
  const end = (error: PrewakeError, unread = false) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    attempt?.destroy();
    // What was written last may still leave, where it is we who go.
    if (unread) socket?.destroySoon();
    else socket?.destroy();
    events.closed(error);
  };
  const timer = setTimeout(() => end(failure('hostd did not answer')), HANDSHAKE_MS).unref();
  try {
    attempt = request({
      socketPath,
      path: SESSION_PATH,
      agent: false,
      headers: { Connection: 'Upgrade', Upgrade: UPGRADE_OFFER, [HEADER.client]: `@prewake/sdk/${VERSION}` },
    });
  } catch (cause) {
    // A path that is no path. Not in this turn: the caller still has to take the abort.
    setImmediate(end, failure('No session could be opened', cause));
    return () => end(failure('Closed by this end'));
  }
  attempt.on('socket', (opened) => opened.unref());
  attempt.on('error', (cause) => end(failure('No session could be opened', cause)));
  attempt.on('response', (response) => {
    response.resume();
    end(refusal(response));
  });
  attempt.on('upgrade', (response, upgraded, head) => {
    socket = upgraded as Socket;
    if (over) return void socket.destroy();
    socket.on('error', (cause) => end(failure('The session broke', cause)));
    if (negotiateVersion(response.headers.upgrade) === undefined) return end(refusal(response));
    clearTimeout(timer);
    run(socket, head, events, end);
  });
  attempt.end();
  return () => end(failure('Closed by this end'), true);
}

function run(socket: Socket, head: Buffer, events: SessionEvents, end: (error: PrewakeError) => void): void {
  const lines = new LineSplitter();
  const onLine = (line: string) => {
    const frame = parseHostdFrame(line, monotonicMicros());
    // A frame of a newer hostd is ignored; a malformed line means that nothing after it can be trusted.
    if (!(frame instanceof ProtocolError)) guarded(() => events.frame(frame));
    else if (frame.fatal) end(frame);
  };
  const onData = (chunk: Buffer) => {
    const error = lines.push(chunk, onLine);
    if (error) end(error);
  };
  socket.unref();
  socket.on('data', onData);
  socket.on('close', () => end(failure('hostd closed the session')));
  events.open({
    get backlog() {
      return socket.writableLength;
    },
    write: (text) => void socket.write(text),
    overrun: () => end(new PrewakeError('PREWAKE_BACKLOG_FULL', 'hostd does not read')),
  });
  if (head.length > 0) onData(head);
}
