import { BINS } from './grid.ts';
import { Histogram } from './histogram.ts';

/** What has been learned of waits in one context, and how it differs from the class as a whole. */
export class Slot {
  readonly histogram: Histogram;
  /** Log hazards, backed off to the class, as of the last wait learned. */
  readonly logHazards: Float32Array;
  /** Whether it was used since the table last looked for one to forget. */
  used = true;

  constructor(histogram = new Histogram(), logHazards: Float32Array = new Float32Array(BINS + 1)) {
    this.histogram = histogram;
    this.logHazards = logHazards;
  }
}

/** Bounded. What has not been used of late is forgotten first (second chance, so that a look-up stays cheap). */
export class SlotTable {
  #slots = new Map<number, Slot>();
  #max: number;

  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get size(): number {
    return this.#slots.size;
  }

  find(key: number): Slot | undefined {
    const slot = this.#slots.get(key);
    if (slot) slot.used = true;
    return slot;
  }

  obtain(key: number): Slot {
    const known = this.find(key);
    if (known) return known;
    while (this.#slots.size >= this.#max) this.#forgetOne();
    const slot = new Slot();
    this.#slots.set(key, slot);
    return slot;
  }

  set(key: number, slot: Slot): void {
    if (this.#slots.size >= this.#max && !this.#slots.has(key)) this.#forgetOne();
    this.#slots.set(key, slot);
  }

  delete(key: number): void {
    this.#slots.delete(key);
  }

  entries(): IterableIterator<[number, Slot]> {
    return this.#slots.entries();
  }

  #forgetOne(): void {
    for (const [key, slot] of this.#slots) {
      this.#slots.delete(key);
      if (!slot.used) return;
      slot.used = false;
      this.#slots.set(key, slot);
    }
  }
}
