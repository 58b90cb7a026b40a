import { readFileSync } from 'node:fs';

/** Names of interrupts' handlers by number, as /proc/interrupts has them: `virtio1-req.0`. */
export class IrqNames {
  readonly #root: string;
  readonly #names = new Map<number, string>();

  constructor(root = '/') {
    this.#root = root;
  }

  /** `''` where it is not known. Read once. */
  name(irq: number): string {
    let name = this.#names.get(irq);
    if (name === undefined) {
      name = read(`${this.#root}sys/kernel/irq/${irq}/actions`);
      this.#names.set(irq, name);
    }
    return name;
  }

  /** Numbers may have got other handlers meanwhile. */
  forget(): void {
    this.#names.clear();
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}
