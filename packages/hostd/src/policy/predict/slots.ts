import { Recents } from '../recents.ts';
import { BINS } from './grid.ts';
import { Histogram, SHARP } from './histogram.ts';

/** What has been learned of waits in one context, and how it differs from the class as a whole. */
export class Slot {
  readonly histogram = new Histogram(SHARP);
  /** Log hazards, backed off to the class, as of the last wait learned. */
  readonly logHazards: Float32Array = new Float32Array(BINS + 1);
}

/** The contexts of one user, by key. */
export class SlotTable extends Recents<number, Slot> {
  obtain(key: number): Slot {
    const known = this.use(key);
    if (known) return known;
    // What is forgotten is used again: under a flood of new contexts nothing is allocated.
    const slot = this.makeRoom() ?? new Slot();
    slot.histogram.clear();
    this.set(key, slot);
    return slot;
  }
}
