import { type Mapping, mapFile, PAGE_BYTES } from './mapping.ts';
import { CPU_STATE_BYTES, CpuStateOffset, MAX_CPUS, MAX_PLACES, SharedOffset } from './record-layout.ts';

/** The BPF program's global variables, read and written in place. */
export class SharedState {
  readonly #mapping: Mapping;
  readonly #words: Uint32Array;

  /** Of the map `.bss`: libbpf makes it mappable, and maps it itself for skeletons only. */
  constructor(fd: number) {
    const bytes = SharedOffset.places + MAX_PLACES * 8;
    this.#mapping = mapFile(fd, 0, Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES, true);
    this.#words = new Uint32Array(this.#mapping.buffer);
  }

  #write(offset: number, low: number, high = 0): void {
    this.#words[offset / 4] = low;
    this.#words[offset / 4 + 1] = high;
  }

  /** Records that a full ring has dropped since load. */
  get lost(): number {
    const at = SharedOffset.lost / 4;
    return (this.#words[at + 1] as number) * 2 ** 32 + (this.#words[at] as number);
  }

  /** Whether the reader has been told of a half-full ring and has yet to read it: it is not told twice. */
  setPressure(told: boolean): void {
    this.#write(SharedOffset.pressure, told ? 1 : 0);
  }

  setHalfRing(bytes: number): void {
    this.#write(SharedOffset.half_ring, bytes);
  }

  /** A bit for each {@link EventKind} that is to be written. */
  setEvents(kinds: number): void {
    this.#write(SharedOffset.detail, kinds);
  }

  /** The iterator follows a process; or, of those that `among` is the root of, gives the process its descendants. */
  setSeed(tgid: number, among = 0): void {
    this.#write(SharedOffset.unseed_root, 0);
    this.#write(SharedOffset.seed_tgid, tgid);
    this.#write(SharedOffset.seed_among, among);
    this.#write(SharedOffset.seed_outer, 0);
  }

  /** For whose sake the process was followed already; 0 nobody's. */
  get seedOuter(): number {
    return this.#words[SharedOffset.seed_outer / 4] as number;
  }

  /** The iterator forgets those that were followed for a process, or gives them to its heir. */
  setUnseed(root: number | 'all', heir = 0): void {
    if (root === 'all') this.#write(SharedOffset.unseed_root, 0xffff_ffff, 0xffff_ffff);
    else this.#write(SharedOffset.unseed_root, root);
    this.#write(SharedOffset.unseed_heir, heir);
  }

  /** What the CPUs were at, and where threads were, is stale after a time without events. */
  resetPlaces(): void {
    this.#words.fill(0, SharedOffset.cpus / 4, SharedOffset.places / 4 + MAX_PLACES * 2);
  }

  /**
   * The CPU that a followed thread got on last, and the one whose event woke it last; -1 unknown. Threads 4,096 tids
   * apart share a place, and the last to run has it.
   */
  placeOf(tid: number): { home: number; completion: number } {
    const at = SharedOffset.places / 4 + (tid % MAX_PLACES) * 2;
    if (this.#words[at + 1] !== tid) return { home: -1, completion: -1 };
    const place = this.#words[at] as number;
    return { home: (place & 0xffff) - 1, completion: (place >>> 16) - 1 };
  }

  setFrequency(cpu: number, khz: number, targetKhz: number, policyCpu: number): void {
    if (cpu >= MAX_CPUS) return;
    const at = (SharedOffset.cpus + cpu * CPU_STATE_BYTES) / 4;
    this.#words[at + CpuStateOffset.khz / 4] = khz;
    this.#words[at + CpuStateOffset.target_khz / 4] = targetKhz;
    this.#words[at + CpuStateOffset.policy_cpu / 4] = policyCpu;
  }

  /** Nothing of this may be called afterwards. */
  close(): void {
    this.#mapping.unmap();
  }
}
