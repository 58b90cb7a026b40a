const SLOTS = 256;

/**
 * Strings of 16-byte comms. The same few threads wake each other over and over, so the string for the same 16 bytes
 * is kept: a direct-mapped cache, bounded.
 */
export class CommCache {
  readonly #words: Uint32Array;
  readonly #keys = new Uint32Array(SLOTS * 4);
  readonly #names: string[] = new Array<string>(SLOTS).fill('');

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** The comm at a word index. */
  read(at: number): string {
    const words = this.#words;
    const keys = this.#keys;
    const a = words[at] as number;
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    const hash = Math.imul(a ^ Math.imul(b ^ Math.imul(c ^ d, 0x85ebca6b), 0x85ebca6b), 0x9e3779b1);
    const slot = (hash >>> 24) & (SLOTS - 1);
    const key = slot * 4;
    if (keys[key] === a && keys[key + 1] === b && keys[key + 2] === c && keys[key + 3] === d) {
      return this.#names[slot] as string;
    }
    keys[key] = a;
    keys[key + 1] = b;
    keys[key + 2] = c;
    keys[key + 3] = d;
    const bytes = Buffer.from(words.buffer, words.byteOffset + at * 4, 16);
    const end = bytes.indexOf(0);
    const name = bytes.toString('utf8', 0, end === -1 ? 16 : end);
    this.#names[slot] = name;
    return name;
  }
}
