/** 2^3 linear buckets in each power of two: a bucket's ends differ by at most an eighth of its value. */
const SUB_BITS = 3;
const SUB = 1 << SUB_BITS;

/** A histogram with log-linear buckets: bounded, mergeable, exact in count, sum and maximum. Values are ≥ 0. */
export class Histogram {
  readonly #buckets = new Map<number, number>();
  count = 0;
  sum = 0;
  max = 0;

  add(value: number): void {
    const bucket = bucketOf(value);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
  }

  merge(other: Histogram): void {
    for (const [bucket, count] of other.#buckets)
      this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
    this.count += other.count;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
  }

  /** The upper end of the bucket that holds the quantile, at most the maximum. @param part 0–1 */
  quantile(part: number): number {
    const wanted = Math.max(1, Math.ceil(part * this.count));
    let seen = 0;
    for (const [bucket, count] of this.#sorted()) {
      seen += count;
      if (seen >= wanted) return Math.min(this.max, endOf(bucket));
    }
    return this.max;
  }

  /** Ascending: [upper end of the bucket, count], for buckets that hold anything. */
  buckets(): [upTo: number, count: number][] {
    return this.#sorted().map(([bucket, count]) => [endOf(bucket), count]);
  }

  #sorted(): [number, number][] {
    return [...this.#buckets].sort(([a], [b]) => a - b);
  }
}

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
