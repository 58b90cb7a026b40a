import { BINS } from './grid.ts';
import { Histogram, SHARP } from './histogram.ts';
import { KeyTable } from './key-table.ts';

/** What has been learned of waits in one context, and how it differs from the class as a whole. */
export class Slot {
  readonly histogram = new Histogram(SHARP);
  /** Log hazards, backed off to the class, as of the last wait learned; not yet written while `pending`. */
  readonly logHazards: Float32Array = new Float32Array(BINS + 1);
  /** Seen once: most contexts never come again, so their hazards wait for the first that does. */
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
