import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrewakeError } from '@prewake/sdk/protocol';

/** What can be saved and taken up again. */
export interface Learned {
  saveState(): unknown;
  /** @throws PrewakeError where it is not a state, or of another version */
  loadState(state: unknown): void;
}

/** Learned classes across restarts: one JSON file in the state directory, for hostd's own user alone. */
export class StateFile {
  readonly path: string;
  readonly #learned: Learned;
  readonly #log: (line: string, level?: 'warn') => void;
  #saidUnwritable = false;

  constructor(stateDir: string, learned: Learned, log: (line: string, level?: 'warn') => void) {
    this.path = join(stateDir, 'learned.json');
    this.#learned = learned;
    this.#log = log;
  }

  /** Takes up what was saved. A file that can't be read is set aside, and said so: nothing is overwritten. */
  load(): void {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return; // The first start.
    }
    try {
      this.#learned.loadState(parse(text));
    } catch (error) {
      const aside = `${this.path}.${new Date().toISOString().replaceAll(':', '')}`;
      this.#log(
        `${(error as Error).message} (${(error as PrewakeError).code}); set aside as ${aside}`,
        'warn',
      );
      try {
        renameSync(this.path, aside);
      } catch {
        // A read-only state directory: it stays, and is not written either.
      }
    }
  }

  save(): void {
    const partial = `${this.path}.new`;
    try {
      mkdirSync(join(this.path, '..'), { recursive: true, mode: 0o700 });
      writeFileSync(partial, JSON.stringify(this.#learned.saveState()), { mode: 0o600 });
      renameSync(partial, this.path);
    } catch (error) {
      if (this.#saidUnwritable) return;
      this.#saidUnwritable = true;
      this.#log(`what was learned can't be kept in ${this.path}: ${(error as Error).message}`, 'warn');
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PrewakeError('PREWAKE_STATE_CORRUPT', 'learned state is not JSON', { cause });
  }
}
