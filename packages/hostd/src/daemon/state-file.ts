import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type Micros, PrewakeError } from '@prewake/sdk/protocol';
import { errorCode } from '../kernel/libc.ts';

/** What was learned is kept this often while waits begin; besides that when all is quiet, and at the end. */
const KEEP_EVERY_US = 15 * 60e6;

/** What can be saved and taken up again. */
export interface Learned {
  /** JSON in pieces, none of which takes long to make. */
  stateText(): Iterable<string>;
  /** @throws PrewakeError where it is not a state, or of another version */
  loadState(state: unknown): void;
}

export interface StateFileOptions {
  log: (line: string, level?: 'warn') => void;
  now: () => Micros;
  /** Reads what there is, and never writes. */
  readOnly?: boolean;
}

/** Learned classes across restarts: one JSON file in the state directory, for hostd's own user alone. */
export class StateFile {
  readonly path: string;
  readonly #learned: Learned;
  readonly #options: StateFileOptions;
  #savedAt: Micros;
  /** Counts saves: one in the background that another has overtaken is dropped. */
  #saves = 0;
  #inBackground = false;
  #closed: boolean;
  #saidUnwritable = false;

  constructor(stateDir: string, learned: Learned, options: StateFileOptions) {
    this.path = join(stateDir, 'learned.json');
    this.#learned = learned;
    this.#options = options;
    this.#closed = options.readOnly ?? false;
    this.#savedAt = options.now();
  }

  /** Takes up what was saved. A file that can't be taken up is set aside, and said so: nothing is overwritten. */
  load(): void {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.#leave((error as Error).message);
      return;
    }
    try {
      this.#learned.loadState(parse(text));
    } catch (error) {
      this.#setAside(`${(error as Error).message} (${(error as PrewakeError).code})`);
    }
  }

  /** In the background, where the last save is old: between windows, a user at a time. */
  keep(): void {
    if (this.#closed || this.#inBackground || this.#options.now() - this.#savedAt < KEEP_EVERY_US) return;
    this.#inBackground = true;
    this.#savedAt = this.#options.now();
    void this.#saveInBackground().finally(() => {
      this.#inBackground = false;
    });
  }

  /** At once. Takes as long as there is learned, some 0.1 s for a user of 10,000 classes: where nothing is armed. */
  save(): void {
    if (this.#closed) return;
    this.#saves++;
    this.#savedAt = this.#options.now();
    const partial = `${this.path}.new`;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      writeFileSync(partial, [...this.#learned.stateText()].join(''), { mode: 0o600 });
      renameSync(partial, this.path);
    } catch (error) {
      this.#sayUnwritable(error as Error);
    }
  }

  async #saveInBackground(): Promise<void> {
    const save = ++this.#saves;
    // Not save()'s own: that one may be called while this is being written.
    const partial = `${this.path}.background`;
    try {
      let text = '';
      for (const piece of this.#learned.stateText()) {
        text += piece;
        await turn();
      }
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await writeFile(partial, text, { mode: 0o600 });
      // Not in the background: a save() in between would be overwritten by what is older.
      if (save === this.#saves) renameSync(partial, this.path);
      else await rm(partial, { force: true });
    } catch (error) {
      this.#sayUnwritable(error as Error);
    }
  }

  #setAside(why: string): void {
    const aside = `${this.path}.${new Date().toISOString().replaceAll(':', '')}`;
    try {
      if (!this.#closed) renameSync(this.path, aside);
    } catch {
      this.#closed = true;
    }
    if (this.#closed) this.#leave(why);
    else this.#options.log(`${why}; set aside as ${aside}`, 'warn');
  }

  /** Leaves a file as it is that could not be read. */
  #leave(why: string): void {
    this.#closed = true;
    this.#options.log(`${this.path}: ${why}; it is left as it is, and nothing learned is kept`, 'warn');
  }

  #sayUnwritable(error: Error): void {
    if (this.#saidUnwritable) return;
    this.#saidUnwritable = true;
    this.#options.log(`what was learned can't be kept in ${this.path}: ${error.message}`, 'warn');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PrewakeError('PREWAKE_STATE_CORRUPT', 'learned state is not JSON', { cause });
  }
}
