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

interface Reader {
  /** Sees its own events only; undefined sees all. */
  readonly uid: number | undefined;
  pending: [sequence: number, event: DaemonEvent][];
}

/**
 * Server-sent events (`GET /v1/events`). Without a reader an event costs one comparison; with one, those of a turn
 * of the event loop are one write, after what they tell of has been done.
 */
export class EventStream {
  readonly #readers = new Map<ServerResponse, Reader>();
  #sequence = 0;
  #flush: NodeJS.Immediate | undefined;

  /** @param uid sees its own events only; undefined sees all */
  add(response: ServerResponse, uid: number | undefined): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': prewake\n\n');
    this.#readers.set(response, { uid, pending: [] });
    response.on('close', () => this.#readers.delete(response));
  }

  /** Whether somebody reads. To be asked first where it would cost more to offer an event than to look. */
  get watched(): boolean {
    return this.#readers.size > 0;
  }

  /** @param event made only where somebody reads */
  emit(event: () => DaemonEvent): void {
    if (!this.watched) return;
    const made = event();
    const sequence = ++this.#sequence;
    for (const reader of this.#readers.values())
      if (reader.uid === undefined || made.uid === EVERYONE || made.uid === reader.uid)
        reader.pending.push([sequence, made]);
    this.#flush ??= setImmediate(() => this.#write());
  }

  close(): void {
    this.#write();
    for (const response of this.#readers.keys()) response.end();
    this.#readers.clear();
  }

  #write(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    for (const [response, reader] of this.#readers) {
      if (reader.pending.length === 0) continue;
      response.write(reader.pending.splice(0).map(textOf).join(''));
      if (response.writableLength > MAX_BACKLOG) response.destroy();
    }
  }
}

function textOf([sequence, event]: [number, DaemonEvent]): string {
  return `id: ${sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
