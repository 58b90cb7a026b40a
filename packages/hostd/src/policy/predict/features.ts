import type { SessionHistory } from './session-history.ts';

export const FEATURES = 11;

/** About where waits lie, log2 of microseconds: features are small numbers around zero. */
const MIDDLE = 19;

/** What the regression of a kind predicts from: recent waits and input tokens, on log scales. */
export function features(
  history: SessionHistory,
  wait: { classId: number; kindId: number; tokens: number },
  classMean: number,
): Float64Array {
  const out = new Float64Array(FEATURES);
  out[0] = 1;
  const recent = history.recent(wait.classId);
  if (recent) {
    out[1] = 1;
    let sum = 0;
    for (const log of recent) sum += log;
    out[2] = sum / recent.length - MIDDLE;
    out[3] = (recent[0] as number) - MIDDLE;
  }
  out[4] = history.slowness.get(wait.kindId) ?? 0;
  const growth = wait.tokens - history.lastTokens;
  if (wait.tokens > 0) out[5] = Math.log2(wait.tokens) - 14;
  if (growth > 0) out[6] = Math.log2(growth + 50) - 9;
  else out[7] = 1;
  if (history.lastUs > 0) out[8] = Math.log2(history.lastUs) - 17;
  if (history.lastTokenWaitUs > 0) out[9] = Math.log2(history.lastTokenWaitUs) - 21;
  out[10] = classMean - MIDDLE;
  return out;
}
