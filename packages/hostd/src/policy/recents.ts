/** A map that forgets what was least recently touched. */
export class Recents<K, V> {
  #map = new Map<K, V>();
  #max: number;

  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get size(): number {
    return this.#map.size;
  }

  /** Without touching it. */
  peek(key: K): V | undefined {
    return this.#map.get(key);
  }

  touch(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value === undefined) return undefined;
    this.#map.delete(key);
    this.#map.set(key, value);
    return value;
  }

  /** Returns what was forgotten for it. */
  set(key: K, value: V): V | undefined {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.#max) return undefined;
    const [oldest, forgotten] = this.#map.entries().next().value as [K, V];
    this.#map.delete(oldest);
    return forgotten;
  }

  delete(key: K): boolean {
    return this.#map.delete(key);
  }

  entries(): IterableIterator<[K, V]> {
    return this.#map.entries();
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }
}
