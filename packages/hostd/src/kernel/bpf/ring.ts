import { type Mapping, mapFile, PAGE_BYTES } from './mapping.ts';

/** linux/bpf.h, kernel/bpf/ringbuf.c: a record's header is its length, with these bits, and its page offset. */
const BUSY = 1 << 31;
const DISCARDED = 1 << 30;
const HEADER_BYTES = 8;
/** Room is given back in pieces of this size: each time costs a BigInt. */
const FREE_BYTES = 64 * 1024;

/**
 * Reads a BPF ring buffer through its own memory, without a system call. The kernel maps the data twice in a row, so
 * that no record wraps. Positions only grow; the index into the data is their remainder by the size, a power of two.
 */
export class Ring {
  readonly bytes: number;
  /** The data, as 32-bit words; record offsets that {@link read} hands out are indexes into it. */
  readonly words: Int32Array;
  readonly #mappings: Mapping[];
  readonly #consumer: BigInt64Array;
  readonly #producer: BigInt64Array;
  /** Where the reader is. Kept as a number: 2^53 bytes are not reached. */
  #position: number;

  /** @internal The page that tells the kernel how far we are; for tests. */
  get consumerPage(): ArrayBuffer {
    return this.#consumer.buffer as ArrayBuffer;
  }

  constructor(fd: number, bytes: number) {
    const consumer = mapFile(fd, 0, PAGE_BYTES, true);
    const rest = mapFile(fd, PAGE_BYTES, PAGE_BYTES + 2 * bytes, false);
    this.bytes = bytes;
    this.#mappings = [consumer, rest];
    this.#consumer = new BigInt64Array(consumer.buffer, 0, 1);
    this.#producer = new BigInt64Array(rest.buffer, 0, 1);
    this.words = new Int32Array(rest.buffer, PAGE_BYTES, (2 * bytes) / 4);
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /** Bytes that have been written and not read, with those of records that are being written. */
  get unread(): number {
    return Number(Atomics.load(this.#producer, 0)) - this.#position;
  }

  /**
   * Calls `record` with the word index of each record that was finished when the call began, and frees their room
   * as it goes. A writer that is faster than the reader can't hold it here.
   */
  read(record: (at: number) => void): void {
    const bytes = this.bytes;
    const words = this.words;
    const end = Number(Atomics.load(this.#producer, 0));
    let position = this.#position;
    try {
      while (position < end) {
        const at = (position % bytes) / 4;
        const header = Atomics.load(words, at);
        if (header & BUSY) break;
        position += (((header & ~DISCARDED) + HEADER_BYTES + 7) >>> 3) << 3;
        if (!(header & DISCARDED)) record(at + HEADER_BYTES / 4);
        if (position - this.#position >= FREE_BYTES) this.#free(position);
      }
    } finally {
      this.#free(position);
    }
  }

  #free(position: number): void {
    this.#position = position;
    Atomics.store(this.#consumer, 0, BigInt(position));
  }

  close(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    this.#mappings.length = 0;
  }
}
