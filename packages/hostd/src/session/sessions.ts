import type { Session } from './session.ts';

/** The connected sessions, and how many each user has. */
export class Sessions implements Iterable<Session> {
  readonly #byId = new Map<string, Session>();
  readonly #perUser = new Map<number, number>();
  #sequence = 0;

  get size(): number {
    return this.#byId.size;
  }

  ofUser(uid: number): number {
    return this.#perUser.get(uid) ?? 0;
  }

  /** Unique for hostd's lifetime. */
  nextId(): string {
    return `s${++this.#sequence}`;
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  add(session: Session): void {
    this.#byId.set(session.id, session);
    this.#perUser.set(session.peer.uid, this.ofUser(session.peer.uid) + 1);
  }

  remove(session: Session): void {
    if (!this.#byId.delete(session.id)) return;
    const left = this.ofUser(session.peer.uid) - 1;
    if (left > 0) this.#perUser.set(session.peer.uid, left);
    else this.#perUser.delete(session.peer.uid);
  }

  /** How many sessions a process has: its threads are followed until the last one ends. */
  ofProcess(pid: number): number {
    let count = 0;
    for (const session of this.#byId.values()) if (session.peer.pid === pid) count++;
    return count;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#byId.values();
  }
}
