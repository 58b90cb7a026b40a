/** Every key may be left out, at every depth. */
export type Partially<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: Partially<T[K]> | undefined }
    : T;

/** A copy of `base` in which what `over` gives replaces; plain objects are gone into, lists are not. */
export function overlay<T extends object>(base: T, over: Partially<T>): T {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(base)) result[key] = isPlain(value) ? overlay(value, {}) : value;
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = result[key];
    result[key] = isPlain(value) ? overlay(isPlain(below) ? below : {}, value) : value;
  }
  return result as T;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
