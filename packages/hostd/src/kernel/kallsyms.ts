import { readFile } from 'node:fs/promises';

/**
 * Names of kernel functions by address, from /proc/kallsyms. The file takes the kernel 50 ms and more to write, so it
 * is read in the background, once for all addresses that were asked for meanwhile, and only their names are kept.
 */
export class Kallsyms {
  readonly #path: string;
  readonly #names = new Map<string, string>();
  readonly #wanted = new Set<string>();
  #reading: Promise<void> | undefined;

  constructor(root = '/') {
    this.#path = `${root}proc/kallsyms`;
  }

  /** `''` where it is not known: not read yet, no such function, or hidden by kptr_restrict. */
  name(address: bigint): string {
    const key = address.toString(16).padStart(16, '0');
    const name = this.#names.get(key);
    if (name !== undefined) return name;
    this.#wanted.add(key);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return '';
  }

  /** Resolves when every address that was asked for is known, or known not to be. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#wanted.size > 0) {
      const wanted = [...this.#wanted];
      const text = await readFile(this.#path).catch(() => Buffer.alloc(0));
      for (const key of wanted) {
        this.#names.set(key, nameIn(text, key));
        this.#wanted.delete(key);
      }
    }
  }
}

/** `ffffffff81234560 t blk_mq_run_work_fn` and, for a module's function, a tab and `[module]`. */
function nameIn(text: Buffer, key: string): string {
  const at = text.indexOf(`${key} `);
  if (at === -1 || (at > 0 && text[at - 1] !== 0x0a)) return '';
  const end = text.indexOf('\n', at);
  return text.toString('latin1', at, end === -1 ? undefined : end).split(/\s+/)[2] ?? '';
}
