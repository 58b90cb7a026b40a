/** Steps in which a saved count is rounded: the square root of its part of the largest. */
const STEPS = 255;

/** Counts as text: one byte each, base64. Rounding is below what one more observation changes. */
export function encodeCounts(counts: Float32Array): { max: number; data: string } {
  let max = 0;
  for (const count of counts) if (count > max) max = count;
  const bytes = new Uint8Array(counts.length);
  if (max > 0) {
    for (let i = 0; i < counts.length; i++) {
      bytes[i] = Math.round(Math.sqrt((counts[i] as number) / max) * STEPS);
    }
  }
  return { max, data: Buffer.from(bytes).toString('base64') };
}

/** @throws RangeError where the text is not `length` counts */
export function decodeCounts(max: number, data: string, length: number): Float32Array {
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length !== length) throw new RangeError(`${bytes.length} counts instead of ${length}`);
  return Float32Array.from(bytes, (byte) => (byte / STEPS) ** 2 * max);
}
