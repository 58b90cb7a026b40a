interface Entry<K, V> {
  readonly key: K;
  value: V;
  used: boolean;
  /** Where it stands in the ring. */
  at: number;
}

/**
 * A bounded map that forgets what has not been used of late: a clock over a ring of entries, so that neither a
 * look-up nor an eviction moves anything.
 */
export class Recents<K, V> {
  #map = new Map<K, Entry<K, V>>();
  #ring: Entry<K, V>[] = [];
  #hand = 0;
  #max: number;

  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get size(): number {
    return this.#map.size;
  }

  /** Looks without counting as use. */
  peek(key: K): V | undefined {
    return this.#map.get(key)?.value;
  }

  use(key: K): V | undefined {
    const entry = this.#map.get(key);
    if (!entry) return undefined;
    entry.used = true;
    return entry.value;
  }

  /** Returns what was forgotten for it, where something was: its own former value, or another's. */
  set(key: K, value: V): V | undefined {
    const known = this.#map.get(key);
    if (known) {
      const former = known.value;
      known.value = value;
      known.used = true;
      return former;
    }
    const forgotten = this.makeRoom();
    const entry = { key, value, used: true, at: this.#ring.length };
    this.#ring.push(entry);
    this.#map.set(key, entry);
    return forgotten;
  }

  /** Forgets one where there is no room for another, and returns it. */
  makeRoom(): V | undefined {
    if (this.#ring.length < this.#max) return undefined;
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const entry = this.#ring[this.#hand] as Entry<K, V>;
      if (!entry.used) {
        this.delete(entry.key);
        return entry.value;
      }
      entry.used = false;
      this.#hand++;
    }
  }

  delete(key: K): boolean {
    const entry = this.#map.get(key);
    if (!entry) return false;
    this.#map.delete(key);
    const last = this.#ring.pop() as Entry<K, V>;
    if (last !== entry) {
      last.at = entry.at;
      this.#ring[entry.at] = last;
    }
    return true;
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [key, { value }] of this.#map) yield [key, value];
  }

  *values(): IterableIterator<V> {
    for (const { value } of this.#map.values()) yield value;
  }
}
