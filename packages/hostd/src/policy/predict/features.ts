import type { Recent, SessionHistory } from './session-history.ts';

export const FEATURES = 12;

/** About where waits lie, log2 of microseconds: features are small numbers around zero. */
const MIDDLE = 19;
/** From about so many new input tokens on, reading them is no longer the smaller part of a wait. */
const MANY_TOKENS = 2000;

/**
 * What the regression of a kind predicts from: recent waits and input tokens, on log scales.
 * @param recent what the history has of the class
 */
export function features(
  history: SessionHistory,
  recent: Recent | undefined,
  wait: { kindId: number; tokens: number },
  classMean: number,
): number[] {
  const { lastLog, lastUs, lastTokenWaitUs } = history;
  const growth = wait.tokens - history.lastTokens;
  // What a session does not know yet is taken to be as the class is: nothing else would be extrapolated.
  return [
    1,
    (recent ? mean(recent) : classMean) - MIDDLE,
    (recent ? (recent[0] as number) : classMean) - MIDDLE,
    history.slowness.get(wait.kindId) ?? 0,
    wait.tokens > 0 ? Math.log2(wait.tokens) - 14 : 0,
    growth > 0 ? Math.log2(growth + 50) - 9 : 0,
    growth > 0 ? 0 : 1,
    lastUs > 0 ? lastLog - 17 : 0,
    (lastTokenWaitUs > 0 ? Math.log2(lastTokenWaitUs) : classMean) - 21,
    classMean - MIDDLE,
    history.lastKind !== wait.kindId && lastUs > 0 ? lastLog - 16 : 0,
    growth > MANY_TOKENS ? Math.log2(growth / MANY_TOKENS) : 0,
  ];
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
