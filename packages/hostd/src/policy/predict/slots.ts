import { BINS } from './grid.ts';
import { Histogram, SHARP } from './histogram.ts';
import { KeyTable } from './key-table.ts';

/** What has been learned of waits in one context, and how it differs from the class as a whole. */
export class Slot {
  readonly histogram = new Histogram(SHARP);
  /**
   * How its hazards differ from those of the class, or of the kind, in 8-bit steps and up to its histogram's end, as
   * of the last wait learned; not yet written while `pending`.
   */
  readonly deviation: Int8Array = new Int8Array(BINS);
  /** Seen once: most contexts never come again, so their deviation waits for the first that does. */
  pending = false;
}

/** The contexts of one user, by key. */
export class SlotTable extends KeyTable<Slot> {
  obtain(key: number): Slot {
    const known = this.use(key);
    if (known) return known;
    // What is forgotten is used again: under a flood of new contexts nothing is allocated.
    const slot = this.makeRoom() ?? new Slot();
    slot.histogram.clear();
    slot.pending = false;
    this.set(key, slot);
    return slot;
  }
}
