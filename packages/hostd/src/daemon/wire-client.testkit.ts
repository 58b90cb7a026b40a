import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { Socket } from 'node:net';
import { HEADER, type HostdFrame, monotonicMicros, SESSION_PATH } from '@prewake/sdk/protocol';

/** A bare client of the wire, for tests: what a client in another language would do. */
export class WireClient {
  readonly socket: Socket;
  readonly frames: HostdFrame[] = [];
  closed = false;
  #rest = '';
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket, head: Buffer) {
    this.socket = socket;
    const read = (chunk: Buffer) => {
      const lines = (this.#rest + chunk).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.frames.push(JSON.parse(line) as HostdFrame);
      this.#wake();
    };
    socket.on('data', read);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
    if (head.length > 0) read(head);
  }

  static async connect(socketPath: string, upgrade = 'prewake/1'): Promise<WireClient> {
    const call = request({
      socketPath,
      path: SESSION_PATH,
      agent: false,
      headers: { connection: 'Upgrade', upgrade, [HEADER.client]: 'test/1' },
    });
    call.end();
    const answered = await Promise.race([
      once(call, 'upgrade').then(([, socket, head]) => ({ socket: socket as Socket, head: head as Buffer })),
      once(call, 'response').then(([response]) => ({ status: response.statusCode as number, response })),
    ]);
    if ('socket' in answered) return new WireClient(answered.socket, answered.head);
    const chunks: Buffer[] = [];
    for await (const chunk of answered.response) chunks.push(chunk as Buffer);
    const { error } = JSON.parse(Buffer.concat(chunks).toString());
    throw Object.assign(new Error(error.message), { code: error.code, status: answered.status });
  }

  send(...frames: object[]): void {
    this.socket.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
  }

  /** Waits for a frame that has come or will come; undefined where the connection closes without it. */
  async frame<T extends HostdFrame['type']>(
    type: T,
    matches: (frame: Extract<HostdFrame, { type: T }>) => boolean = () => true,
  ): Promise<Extract<HostdFrame, { type: T }> | undefined> {
    for (;;) {
      const found = this.frames.find(
        (frame): frame is Extract<HostdFrame, { type: T }> =>
          frame.type === type && matches(frame as Extract<HostdFrame, { type: T }>),
      );
      if (found || this.closed) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Proves that hostd has read everything before it. */
  async sync(): Promise<void> {
    const id = Math.floor(Math.random() * 2 ** 40);
    this.send({ type: 'ping', id });
    await this.frame('pong', (pong) => pong.id === id);
  }

  async end(): Promise<void> {
    if (this.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

let lastStep = 0;
export const stepId = (): string => (++lastStep).toString(16).padStart(16, '0');
export const step = (id: string, fields: object = {}) => ({
  type: 'step',
  id,
  kind: 'tool',
  key: 'Grep',
  at: monotonicMicros(),
  ...fields,
});
export const wait = (id: number, stepOf: string, fields: object = {}) => ({
  type: 'wait',
  id,
  step: stepOf,
  kind: 'tool',
  key: 'Grep',
  at: monotonicMicros(),
  ...fields,
});

/** GET or POST on hostd's socket. */
export function ask(
  socketPath: string,
  path: string,
  method = 'GET',
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}
