import {
  type Category,
  KERNEL_CATEGORIES,
  type KernelCategory,
  type SlowpathEvent,
} from '@prewake/sdk/protocol';
import { Known, type Slice, SliceBegin } from '../kernel/slice.ts';
import { idleExit, readyTime } from './categories.ts';
import { CATEGORY_INDEX, isKnown } from './known.ts';
import type { AttributionOptions } from './options.ts';
import { wakeChain } from './wake-chain.ts';

/** Counts that slices bring, by the name that they have in a report: their index. */
const COUNT_INDEX = {
  irq: 0,
  softirq: 1,
  'page_fault.minor': 2,
  'page_fault.major': 3,
  'page_cache.hit': 4,
  'page_cache.miss': 5,
  vfs: 6,
  'vfs.dentry_miss': 7,
  block: 8,
} as const;
const COUNTS = Object.keys(COUNT_INDEX);

/** What tells of the time before a slice. */
const BEFORE_SLICE =
  Known.wakeup |
  Known.idle |
  Known.timer |
  Known.work |
  Known.block |
  Known.ioUring |
  Known.throttled |
  Known.runqueue;

/** The sums of one step, or of all steps and none (the totals of a session). */
export class Tally {
  readonly self = KERNEL_CATEGORIES.map(() => 0);
  readonly counts = COUNTS.map(() => 0);
  /** Slices by what was known of them: nearly always one entry. */
  readonly #byKnown: { readonly known: number; slices: number }[] = [];
  /** Slices whose counts and unplaced times are shared because several steps ran in them. */
  sharedSlices = 0;
  sharedNs = 0;
  candidates = 0;
  /** Slices of which a part was not recorded. */
  lost = 0;
  cpuNs = 0;
  faultInclusiveNs = 0;
  vfsInclusiveNs = 0;
  wakeups = 0;
  covered = 0;
  missed = 0;
  remoteExits = 0;
  ownExits = 0;
  events: SlowpathEvent[] = [];

  /**
   * Time in a category.
   * @param category its index
   * @param candidates among how many steps it could not be decided, or was experienced together; 0: it is one's alone
   */
  pay(category: number, ns: number, candidates: number): void {
    this.self[category] = (this.self[category] as number) + ns;
    if (candidates > 0) {
      this.sharedNs += ns;
      if (candidates > this.candidates) this.candidates = candidates;
    }
  }

  /**
   * What can't be cut: which fields were known, counts, inclusive times. Once for each slice of the step.
   * @param began the step began while the slice ran: what preceded the slice is nothing that it could have paid
   */
  slice(slice: Slice, candidates: number, began = false): void {
    const { known } = slice;
    this.#tell(began ? known | BEFORE_SLICE : known, 1);
    if (candidates > 0) this.sharedSlices++;
    if (known & Known.irq) this.#count(COUNT_INDEX.irq, slice.irqs);
    if (known & Known.softirq) this.#count(COUNT_INDEX.softirq, slice.softirqs);
    if (known & Known.faultCount) {
      this.#count(COUNT_INDEX['page_fault.minor'], slice.minorFaults);
      this.#count(COUNT_INDEX['page_fault.major'], slice.majorFaults);
    }
    if (known & Known.cache) {
      this.#count(COUNT_INDEX['page_cache.hit'], slice.cacheHits);
      this.#count(COUNT_INDEX['page_cache.miss'], slice.cacheMisses);
    }
    if (known & Known.vfs) {
      this.#count(COUNT_INDEX.vfs, slice.vfsCalls);
      this.#count(COUNT_INDEX['vfs.dentry_miss'], slice.dentryMisses);
      this.vfsInclusiveNs += slice.vfsInclusiveNs;
    }
    if (known & Known.block) this.#count(COUNT_INDEX.block, slice.blockRequests);
    if (known & Known.faultTime) this.faultInclusiveNs += slice.faultInclusiveNs;
  }

  #count(index: number, occurrences: number): void {
    this.counts[index] = (this.counts[index] as number) + occurrences;
  }

  /** So many slices more of which that was known. */
  #tell(known: number, slices: number): void {
    for (const entry of this.#byKnown)
      if (entry.known === known) {
        entry.slices += slices;
        return;
      }
    this.#byKnown.push({ known, slices });
  }

  /** No slice has been added. */
  get isEmpty(): boolean {
    return this.#byKnown.length === 0;
  }

  /** How a slice was woken, where it was. @param isCovered see {@link AttributionOptions} */
  wakeup(slice: Slice, isCovered: AttributionOptions['isCovered']): void {
    if (slice.begin !== SliceBegin.woken) return;
    this.wakeups++;
    if (isCovered(slice.cpu, readyTime(slice))) this.covered++;
    const exit = idleExit(slice);
    if (exit === 'remote') this.remoteExits++;
    else if (exit === 'own') this.ownExits++;
  }

  /** Keeps the `most` largest. @param category its index @param at nanoseconds */
  event(slice: Slice, category: number, at: number, ns: number, most: number): void {
    const least = this.events.at(-1);
    if (this.events.length >= most && (!least || least.ns >= ns)) return;
    const name = KERNEL_CATEGORIES[category] as KernelCategory;
    this.events.push({ category: name, at: at / 1000, ns, detail: wakeChain(slice) });
    this.events.sort((a, b) => b.ns - a.ns);
    if (this.events.length > most) this.events.pop();
  }

  /** A copy that can be added to. */
  clone(): Tally {
    const copy = Object.assign(new Tally(), this, {
      self: this.self.slice(),
      counts: this.counts.slice(),
      events: [...this.events],
    });
    for (const { known, slices } of this.#byKnown) copy.#tell(known, slices);
    return copy;
  }

  /**
   * Counts by name, where they are known and there were any; `<category>.unknown`: slices that could not tell.
   * @param available {@link Known} bits that the host can fill in
   */
  namedCounts(available: number): Record<string, number> {
    const named: Record<string, number> = {};
    COUNTS.forEach((name, i) => {
      if (this.counts[i]) named[name] = this.counts[i];
    });
    if (this.sharedSlices > 0) named['slice.shared'] = this.sharedSlices;
    for (const category of KERNEL_CATEGORIES) {
      const { told, silent } = this.#tellers(category, available);
      if (told > 0 && silent > 0) named[`${category}.unknown`] = silent;
    }
    return named;
  }

  /**
   * Each category as far as it is known, the rest by name.
   * @param available {@link Known} bits that the host can fill in: they decide where the step had no slice
   */
  categories(available: number): { self: Partial<Record<Category, number>>; unknown: Category[] } {
    const self: Partial<Record<Category, number>> = {};
    const unknown: Category[] = [];
    for (const category of KERNEL_CATEGORIES) {
      const { told, silent } = this.#tellers(category, available);
      if (told > 0 || (silent === 0 && isKnown(category, available)))
        self[category] = Math.round(this.self[CATEGORY_INDEX[category]] as number);
      else unknown.push(category);
    }
    return { self, unknown };
  }

  /** How many slices could tell what was paid in a category, and how many could not. */
  #tellers(category: KernelCategory, available: number): { told: number; silent: number } {
    let told = 0;
    let silent = 0;
    for (const { known, slices } of this.#byKnown) {
      if (isKnown(category, known & available)) told += slices;
      else silent += slices;
    }
    if (category === 'wakeup.idle_exit' && told > 0) {
      // Wakeups by the CPU's own interrupt can't tell; the ones that found the CPU busy paid nothing, and that is known.
      silent += this.ownExits;
      told -= this.ownExits;
    }
    return { told, silent };
  }
}
