import { readFileSync } from 'node:fs';

/**
 * Names of kernel functions by address, from /proc/kallsyms. Read at the first question only (some 10 MB), and only
 * the addresses that were asked for are kept.
 */
export class Kallsyms {
  readonly #path: string;
  readonly #names = new Map<string, string>();

  constructor(root = '/') {
    this.#path = `${root}proc/kallsyms`;
  }

  /** `''` where the kernel does not tell: unknown, or hidden by kptr_restrict. */
  name(address: bigint): string {
    const key = address.toString(16).padStart(16, '0');
    let name = this.#names.get(key);
    if (name === undefined) {
      name = this.#find(key);
      this.#names.set(key, name);
    }
    return name;
  }

  #find(key: string): string {
    let text: Buffer;
    try {
      text = readFileSync(this.#path);
    } catch {
      return '';
    }
    // `ffffffff81234560 t blk_mq_run_work_fn` and, for a module's function, a tab and `[module]`.
    const at = text.indexOf(`${key} `);
    if (at === -1 || (at > 0 && text[at - 1] !== 0x0a)) return '';
    const end = text.indexOf('\n', at);
    const line = text.toString('latin1', at, end === -1 ? undefined : end);
    return line.split(/\s+/)[2] ?? '';
  }
}
