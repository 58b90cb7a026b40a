import {
  type Category,
  KERNEL_CATEGORIES,
  type KernelCategory,
  type SlowpathEvent,
} from '@prewake/sdk/protocol';
import { Known, type Slice, SliceBegin } from '../kernel/slice.ts';
import { type Interval, idleExit } from './categories.ts';
import { CATEGORY_INDEX, isKnown } from './known.ts';
import { wakeChain } from './wake-chain.ts';

/** Counts that a slice brings: the name in a report, where it is, and what must be known for it to mean something. */
const COUNTS: readonly [name: string, of: (slice: Slice) => number, known: number][] = [
  ['irq', (slice) => slice.irqs, Known.irq],
  ['softirq', (slice) => slice.softirqs, Known.softirq],
  ['page_fault.minor', (slice) => slice.minorFaults, Known.faultCount],
  ['page_fault.major', (slice) => slice.majorFaults, Known.faultCount],
  ['page_cache.hit', (slice) => slice.cacheHits, Known.cache],
  ['page_cache.miss', (slice) => slice.cacheMisses, Known.cache],
  ['vfs', (slice) => slice.vfsCalls, Known.vfs],
  ['vfs.dentry_miss', (slice) => slice.dentryMisses, Known.vfs],
  ['block', (slice) => slice.blockRequests, Known.block],
];

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
  readonly self = new Float64Array(KERNEL_CATEGORIES.length);
  readonly counts = new Float64Array(COUNTS.length);
  /** Slices by what was known of them: nearly always one entry. */
  byKnown = new Map<number, number>();
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

  /** Time in a category. `candidates`: among how many steps it could not be decided, or was experienced together. */
  pay(interval: Interval, ns: number, candidates: number): void {
    const index = CATEGORY_INDEX[interval.category];
    this.self[index] = (this.self[index] as number) + ns;
    if (candidates > 1) {
      this.sharedNs += ns;
      if (candidates > this.candidates) this.candidates = candidates;
    }
  }

  /**
   * What can't be cut: which fields were known, counts, inclusive times. Once for each slice of the step.
   * @param began the step began while the slice ran: what preceded the slice is nothing that it could have paid
   */
  slice(slice: Slice, candidates: number, began = false): void {
    const known = began ? slice.known | BEFORE_SLICE : slice.known;
    this.byKnown.set(known, (this.byKnown.get(known) ?? 0) + 1);
    if (candidates > 1) this.sharedSlices++;
    for (let i = 0; i < COUNTS.length; i++) {
      const [, of, known] = COUNTS[i] as (typeof COUNTS)[number];
      if (slice.known & known) this.counts[i] = (this.counts[i] as number) + of(slice);
    }
    if (slice.known & Known.faultTime) this.faultInclusiveNs += slice.faultInclusiveNs;
    if (slice.known & Known.vfs) this.vfsInclusiveNs += slice.vfsInclusiveNs;
  }

  wakeup(slice: Slice, covered: boolean): void {
    if (slice.begin !== SliceBegin.woken) return;
    this.wakeups++;
    if (covered) this.covered++;
    const exit = idleExit(slice);
    if (exit === 'remote') this.remoteExits++;
    else if (exit === 'own') this.ownExits++;
  }

  /** Keeps the largest. */
  event(
    slice: Slice,
    category: Category,
    at: number,
    ns: number,
    limit: { count: number; ns: number },
  ): void {
    if (ns <= limit.ns || limit.count === 0) return;
    const least = this.events.at(-1);
    if (this.events.length >= limit.count && least && least.ns >= ns) return;
    this.events.push({ category, at: at / 1000, ns, detail: wakeChain(slice) });
    this.events.sort((a, b) => b.ns - a.ns);
    if (this.events.length > limit.count) this.events.pop();
  }

  /** A copy that can be added to. */
  clone(): Tally {
    return Object.assign(new Tally(), this, {
      self: this.self.slice(),
      counts: this.counts.slice(),
      byKnown: new Map(this.byKnown),
      events: [...this.events],
    });
  }

  /**
   * Counts by name, where they are known and there were any; `<category>.unknown`: slices that could not tell.
   * @param available {@link Known} bits that the host can fill in
   */
  namedCounts(available: number): Record<string, number> {
    const named: Record<string, number> = {};
    COUNTS.forEach(([name], i) => {
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
    for (const [known, slices] of this.byKnown) {
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
