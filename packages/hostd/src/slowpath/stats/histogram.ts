/** 2^3 linear buckets in each power of two: a bucket's ends differ by at most an eighth of its value. */
const SUB_BITS = 3;
const SUB = 1 << SUB_BITS;

/** A histogram with log-linear buckets: bounded, mergeable, exact in count, sum and maximum. Values are ≥ 0. */
export class Histogram {
  /** The counts of the buckets from `#first` on, as far as values have reached: most lie within a few powers of two. */
  #counts: number[] = [];
  #first = 0;
  count = 0;
  sum = 0;
  max = 0;

  add(value: number): void {
    const bucket = bucketOf(value);
    let i = bucket - this.#first;
    if (i < 0 || i >= this.#counts.length) {
      this.#cover(bucket, bucket + 1);
      i = bucket - this.#first;
    }
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }

  merge(other: Histogram): void {
    if (other.count === 0) return;
    this.#cover(other.#first, other.#first + other.#counts.length);
    const shift = other.#first - this.#first;
    for (let i = 0; i < other.#counts.length; i++)
      this.#counts[i + shift] = (this.#counts[i + shift] as number) + (other.#counts[i] as number);
    this.count += other.count;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
  }

  /** Forgets its values, and keeps its room. */
  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.sum = 0;
    this.max = 0;
  }

  /** The upper end of the bucket that holds the quantile, at most the maximum. @param part 0–1 */
  quantile(part: number): number {
    const wanted = Math.max(1, Math.ceil(part * this.count));
    let seen = 0;
    for (const [end, count] of this.buckets()) {
      seen += count;
      if (seen >= wanted) return Math.min(this.max, end);
    }
    return this.max;
  }

  /** Ascending: [upper end of the bucket, count], for buckets that hold anything. */
  buckets(): [upTo: number, count: number][] {
    const held: [number, number][] = [];
    this.#counts.forEach((count, i) => {
      if (count > 0) held.push([endOf(this.#first + i), count]);
    });
    return held;
  }

  /** Makes room for the buckets in [from, to), by whole powers of two. */
  #cover(from: number, to: number): void {
    const first = from - (from % SUB);
    const end = Math.ceil(to / SUB) * SUB;
    if (this.#counts.length === 0) this.#first = first;
    const before = Math.max(0, this.#first - first);
    const after = Math.max(0, end - this.#first - this.#counts.length);
    if (before + after === 0) return;
    this.#counts = zeros(before).concat(this.#counts, zeros(after));
    this.#first -= before;
  }
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);

function bucketOf(value: number): number {
  const whole = Math.floor(value);
  if (whole < SUB) return Math.max(0, whole);
  if (whole < 2 ** 32) {
    const down = 31 - SUB_BITS - Math.clz32(whole);
    return down * SUB + (whole >>> down);
  }
  const exponent = Math.floor(Math.log2(whole));
  const scaled = Math.floor(whole / 2 ** (exponent - SUB_BITS));
  // log2 rounds up just below a power of two; the mantissa tells.
  if (scaled < SUB) return (exponent - SUB_BITS) * SUB + SUB - 1;
  return (exponent - SUB_BITS + 1) * SUB + (scaled - SUB);
}

/** The largest whole value of a bucket. */
function endOf(bucket: number): number {
  if (bucket < SUB) return bucket;
  const exponent = Math.floor(bucket / SUB) + SUB_BITS - 1;
  return ((bucket % SUB) + SUB + 1) * 2 ** (exponent - SUB_BITS) - 1;
}
