/** How long a write may take to come into force, microseconds. Seen: 32 ms, on a busy emulated machine. */
export const SETTLE_US = 1_000_000;

interface Write {
  value: string;
  /** What may still be read until it is in force. */
  before: readonly string[];
  at: number;
}

/**
 * Reads behind writes that the kernel applies later. cpufreq takes a new limit into its QoS request within write(2),
 * and leaves it to a worker (`policy->update`) to bring the request into force; a file reads what is in force. So a
 * reading says "not applied yet" rather than "somebody else's" while it is what was read before our last write.
 * Writing and applying exclude each other in the kernel: once the new value was read, the old one does not come back.
 */
export class LateWrites {
  readonly #now: () => number;
  readonly #writes = new Map<number, Write>();

  /** `now`: microseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `value` was written where `found` was read right before. */
  wrote(key: number, value: string, found: string): void {
    const last = this.#writes.get(key);
    const before = last ? [found, last.value] : [found];
    this.#writes.set(key, { value, before, at: this.#now() });
  }

  /** The value that is in force once our last write is: `found`, unless that is only what was there before. */
  settled(key: number, found: string): string {
    const last = this.#writes.get(key);
    if (!last) return found;
    const late = found !== last.value && last.before.includes(found);
    if (late && this.#now() - last.at < SETTLE_US) return last.value;
    this.#writes.delete(key);
    return found;
  }

  /** Whether the last answer of {@link settled} was an expectation and not a reading. */
  pending(key: number): boolean {
    return this.#writes.has(key);
  }
}
