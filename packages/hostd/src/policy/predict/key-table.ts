const FIRST_SIZE = 64;

/** A hash of an exact integer: 32 bits. */
export function hashOf(key: number): number {
  const high = Math.floor(key / 2 ** 32);
  let hash = Math.imul((key - high * 2 ** 32) | 0, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/**
 * A bounded map from exact positive integers to values that forgets what has not been used of late. Open addressing
 * over a typed array: a look-up that misses, which most do, touches one cache line, where a Map of large numbers
 * follows several pointers.
 */
export class KeyTable<V> {
  /** 0: free. */
  #keys = new Float64Array(FIRST_SIZE);
  #values: (V | undefined)[] = new Array(FIRST_SIZE).fill(undefined);
  #used = new Uint8Array(FIRST_SIZE);
  #count = 0;
  #hand = 0;
  #max: number;

  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get size(): number {
    return this.#count;
  }

  /** Looks without counting as use. */
  peek(key: number): V | undefined {
    return this.#values[this.#find(key)];
  }

  use(key: number): V | undefined {
    const at = this.#find(key);
    this.#used[at] = 1;
    return this.#values[at];
  }

  /** @param key 1 to 2^53 - 1 */
  set(key: number, value: V): void {
    let at = this.#find(key);
    if (this.#keys[at] !== key) {
      this.makeRoom();
      if (2 * this.#count >= this.#keys.length) this.#grow();
      at = this.#find(key);
      this.#keys[at] = key;
      this.#count++;
    }
    this.#values[at] = value;
    this.#used[at] = 1;
  }

  /** Forgets one where there is no room for another, and returns it. */
  makeRoom(): V | undefined {
    if (this.#count < this.#max) return undefined;
    for (;;) {
      this.#hand = (this.#hand + 1) % this.#keys.length;
      const key = this.#keys[this.#hand] as number;
      if (key === 0) continue;
      if (this.#used[this.#hand] === 0) {
        const value = this.#values[this.#hand];
        this.delete(key);
        return value;
      }
      this.#used[this.#hand] = 0;
    }
  }

  delete(key: number): boolean {
    let hole = this.#find(key);
    if (this.#keys[hole] !== key) return false;
    this.#count--;
    const mask = this.#keys.length - 1;
    // What comes after in the same run moves up, unless it already stands between its own place and the hole.
    for (let at = (hole + 1) & mask; this.#keys[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#keys[at] as number);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#move(at, hole);
      hole = at;
    }
    this.#keys[hole] = 0;
    this.#values[hole] = undefined;
    this.#used[hole] = 0;
    return true;
  }

  *entries(): IterableIterator<[number, V]> {
    for (const [at, key] of this.#keys.entries()) if (key !== 0) yield [key, this.#values[at] as V];
  }

  #find(key: number): number {
    const mask = this.#keys.length - 1;
    let at = this.#home(key);
    while (this.#keys[at] !== key && this.#keys[at] !== 0) at = (at + 1) & mask;
    return at;
  }

  #home(key: number): number {
    return hashOf(key) & (this.#keys.length - 1);
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#values[to] = this.#values[from];
    this.#used[to] = this.#used[from] as number;
  }

  #grow(): void {
    const [keys, values, used] = [this.#keys, this.#values, this.#used];
    this.#keys = new Float64Array(2 * keys.length);
    this.#values = new Array(2 * keys.length).fill(undefined);
    this.#used = new Uint8Array(2 * keys.length);
    for (const [from, key] of keys.entries()) {
      if (key === 0) continue;
      const at = this.#find(key);
      this.#keys[at] = key;
      this.#values[at] = values[from];
      this.#used[at] = used[from] as number;
    }
  }
}
