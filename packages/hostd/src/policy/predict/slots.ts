import { BINS } from './grid.ts';
import { Histogram, SHARP } from './histogram.ts';
import { hashOf, KeyTable } from './key-table.ts';
import { Rows } from './rows.ts';

const COUNTS_BYTES = Float32Array.BYTES_PER_ELEMENT * (BINS + 1);

/** What has been learned of waits in one context, and how it differs from the class as a whole. */
export class Slot {
  readonly histogram: Histogram;
  /**
   * How its hazards differ from those of the class, or of the kind, in 8-bit steps and up to its histogram's end, as
   * of the last wait learned.
   */
  readonly deviation: Int8Array;

  constructor(rows: Rows) {
    const { page, offset } = rows.take();
    this.histogram = new Histogram(SHARP, new Float32Array(page, offset, BINS + 1));
    this.deviation = new Int8Array(page, offset + COUNTS_BYTES, BINS);
  }
}

/**
 * The contexts of one user, by key. Most contexts never come again: of one that came once the bin alone is kept, in
 * a table where a newer one may take its place, and a slot is taken when it comes again.
 */
export class SlotTable extends KeyTable<Slot> {
  readonly #onceKeys: Float64Array;
  readonly #onceBins: Uint8Array;

  readonly #rows = new Rows(COUNTS_BYTES + BINS);
  /** Forgotten ones; with those in use never more than the bound. */
  readonly #free: Slot[] = [];

  constructor(max: number) {
    super(max);
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, max)));
    this.#onceKeys = new Float64Array(size);
    this.#onceBins = new Uint8Array(size);
  }

  /** A context has come for the first time, or again after it was forgotten. */
  first(key: number, bin: number): void {
    const at = hashOf(key) & (this.#onceKeys.length - 1);
    this.#onceKeys[at] = key;
    this.#onceBins[at] = bin;
  }

  /** A slot for a context that has come once, with that in it; undefined where it has not. */
  second(key: number, decay: number): Slot | undefined {
    const at = hashOf(key) & (this.#onceKeys.length - 1);
    if (this.#onceKeys[at] !== key) return undefined;
    this.#onceKeys[at] = 0;
    this.makeRoom();
    const slot = this.create();
    slot.histogram.add(this.#onceBins[at] as number, decay);
    this.set(key, slot);
    return slot;
  }

  /** A slot without observations. What was forgotten is used again: under a flood nothing is allocated. */
  create(): Slot {
    const slot = this.#free.pop() ?? new Slot(this.#rows);
    slot.histogram.clear();
    return slot;
  }

  override delete(key: number): boolean {
    const slot = this.peek(key);
    if (slot) this.#free.push(slot);
    return super.delete(key);
  }

  /** Contexts that came once, with their bin. */
  *once(): IterableIterator<[number, number]> {
    for (const [at, key] of this.#onceKeys.entries()) {
      if (key !== 0) yield [key, this.#onceBins[at] as number];
    }
  }
}
