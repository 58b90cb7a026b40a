import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import {
  type ClientFrame,
  encode,
  HEADER,
  type HostdFrame,
  LineSplitter,
  monotonicMicros,
  negotiateVersion,
  ProtocolError,
  parseClientFrame,
  type ReportFrame,
  SESSION_PATH,
  type WelcomeFrame,
} from './protocol/index.ts';

/** A report in which everything is known to be nothing, for tests to fill in. */
export function emptyReport(step: string): ReportFrame {
  return {
    type: 'report',
    step,
    complete: true,
    source: 'bpf',
    self: {},
    unknown: [],
    wakeups: { total: 0, covered: 0, missed: 0 },
    events: [],
  };
}

/**
 * The other end of the wire, for tests: a real HTTP server on a real Unix socket that upgrades sessions with the
 * protocol's own codec, keeps every frame, and answers what the test tells it to. It knows nothing of hostd's work.
 */
export class TestHostd {
  readonly directory = mkdtempSync(join(tmpdir(), 'prewake-sdk-'));
  readonly socketPath: string;
  readonly frames: ClientFrame[] = [];
  readonly errors: ProtocolError[] = [];
  readonly requests: { upgrade: string | undefined; client: string | undefined }[] = [];
  welcome: Partial<WelcomeFrame> | undefined = {};
  /** Answers a frame; by default every step that wants a report gets an empty one. */
  answer: (frame: ClientFrame, send: (frame: HostdFrame) => void) => void = (frame, send) => {
    if (frame.type === 'step_end' && this.step(frame.id)?.report !== false) send(emptyReport(frame.id));
  };
  /** False: upgrades are answered with 426. */
  accepts = true;
  readonly #sockets = new Set<Duplex>();
  readonly #server = createServer((_request, response) => response.writeHead(404).end());
  #sessions = 0;

  constructor(socketPath?: string) {
    this.socketPath = socketPath ?? join(this.directory, 'hostd.sock');
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
      this.requests.push({
        upgrade: request.headers.upgrade,
        client: request.headers[HEADER.client] as string | undefined,
      });
      socket.on('error', () => {});
      const known = this.accepts && request.url === SESSION_PATH && negotiateVersion(request.headers.upgrade);
      if (!known) {
        socket.end(
          'HTTP/1.1 426 Upgrade Required\r\nUpgrade: prewake/9\r\nPrewake-Hostd: 9.0.0\r\n' +
            'Connection: Upgrade\r\nContent-Length: 0\r\n\r\n',
        );
        return;
      }
      this.#session(socket, head, known);
    });
  }

  #session(socket: Duplex, head: Buffer, version: number): void {
    const session = `s${++this.#sessions}`;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: prewake/${version}\r\n` +
        `Prewake-Hostd: 0.1.0\r\nPrewake-Session: ${session}\r\n\r\n`,
    );
    const send = (frame: HostdFrame) => void socket.write(encode(frame));
    if (this.welcome) {
      const at = monotonicMicros();
      send({ type: 'welcome', session, version: '0.1.0', mode: 'arm', recorder: 'bpf', at, ...this.welcome });
    }
    const lines = new LineSplitter();
    const onData = (chunk: Buffer) => {
      const broken = lines.push(chunk, (line) => {
        const frame = parseClientFrame(line, monotonicMicros());
        if (frame instanceof ProtocolError) return void this.errors.push(frame);
        this.frames.push(frame);
        this.answer(frame, send);
      });
      if (broken) this.errors.push(broken);
    };
    socket.on('data', onData);
    if (head.length > 0) onData(head);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.socketPath, resolve));
    return this;
  }

  /** Ends listening and every connection, as a hostd that dies. `listen()` again is its restart. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  of<T extends ClientFrame['type']>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type);
  }

  step(id: string) {
    return this.of('step').find((frame) => frame.id === id);
  }

  get sessions(): number {
    return this.#sessions;
  }

  get connections(): ReadonlySet<Duplex | Socket> {
    return this.#sockets;
  }
}

/** Waits until something holds, and fails with its name after a generous time. */
export async function until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
