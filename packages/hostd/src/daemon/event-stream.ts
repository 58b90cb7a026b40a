import type { ServerResponse } from 'node:http';

/** Bytes that a slow reader may lag behind before it is cut off. */
const MAX_BACKLOG = 1024 * 1024;

/** Whose an event is that is no single user's: everyone's, or the administrators' alone. */
export const EVERYONE = -1;
export const ADMINISTRATORS = -2;

/** An event as `/v1/events` shows it. `uid` says whose it is. */
export interface DaemonEvent {
  type: string;
  uid: number;
  [field: string]: unknown;
}

/** Server-sent events (`GET /v1/events`). Without a reader an event costs one comparison. */
export class EventStream {
  readonly #readers = new Map<ServerResponse, number | undefined>();
  #sequence = 0;

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** @param uid sees its own events only; undefined sees all */
  add(response: ServerResponse, uid: number | undefined): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': prewake\n\n');
    this.#readers.set(response, uid);
    response.on('close', () => this.#readers.delete(response));
  }

  /** @param event made only where somebody reads */
  emit(event: () => DaemonEvent): void {
    if (this.#readers.size === 0) return;
    const made = event();
    const text = `id: ${++this.#sequence}\nevent: ${made.type}\ndata: ${JSON.stringify(made)}\n\n`;
    for (const [response, uid] of this.#readers) {
      if (uid !== undefined && made.uid !== EVERYONE && made.uid !== uid) continue;
      response.write(text);
      if (response.writableLength > MAX_BACKLOG) response.destroy();
    }
  }

  close(): void {
    for (const response of this.#readers.keys()) response.end();
    this.#readers.clear();
  }
}
