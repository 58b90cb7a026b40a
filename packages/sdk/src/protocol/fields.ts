import type { WireErrorCode } from './codes.ts';
import type { Micros } from './frames.ts';

/** How far ahead of now a time on the wire may lie: 24 h, in microseconds. */
export const MAX_TIME_AHEAD: Micros = 24 * 3600 * 1e6;

/** The longest class key, in UTF-16 units. */
export const MAX_KEY_LENGTH = 200;

/** The longest kind or signal name, in UTF-16 units. */
export const MAX_KIND_LENGTH = 64;

/** What is wrong with a frame: a code and a sentence. Cheaper than an error object while checks are nested. */
export type Flaw = readonly [code: WireErrorCode, message: string];

const STEP_ID_LENGTH = 16;

// Loops, where a regular expression would do: hostd comes here cold, with a deadline, for each hint.

export function isStepId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length !== STEP_ID_LENGTH) return false;
  let zero = true;
  for (let i = 0; i < STEP_ID_LENGTH; i++) {
    const code = value.charCodeAt(i);
    const digit = code >= 0x30 && code <= 0x39;
    if (!digit && !(code >= 0x61 && code <= 0x66)) return false;
    if (code !== 0x30) zero = false;
  }
  return !zero;
}

/** Keys end up in terminals, logs and metric labels: no control characters (Cc), no lone surrogates (Cs). */
function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
    if (code < 0xd800 || code > 0xdfff) continue;
    const low = code < 0xdc00 ? text.charCodeAt(++i) : Number.NaN;
    if (!(low >= 0xdc00 && low <= 0xdfff)) return false;
  }
  return true;
}

/** An id that the peer counts itself: a safe integer from 1. */
function isCountedId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function isTime(value: unknown, now: Micros): value is Micros {
  return typeof value === 'number' && value >= 0 && value <= now + MAX_TIME_AHEAD;
}

/** A key as it may go on the wire: printable, well-formed, at most {@link MAX_KEY_LENGTH}. */
export function toKey(value: string): string {
  const cut = value.length > MAX_KEY_LENGTH ? value.slice(0, MAX_KEY_LENGTH) : value;
  return isPrintable(cut) ? cut : cut.replace(/[\p{Cc}\p{Cs}]/gu, ' ');
}

export function timeFlaw(name: string, value: unknown, now: Micros): Flaw | undefined {
  if (isTime(value, now)) return undefined;
  return ['PREWAKE_BAD_TIME', `${name} must be microseconds of CLOCK_MONOTONIC, from 0 to 24 h ahead`];
}

export function stepIdFlaw(name: string, value: unknown): Flaw | undefined {
  if (isStepId(value)) return undefined;
  return ['PREWAKE_BAD_ID', `${name} must be 16 lower-case hexadecimal digits, not all zero`];
}

export function countedIdFlaw(name: string, value: unknown): Flaw | undefined {
  if (isCountedId(value)) return undefined;
  return ['PREWAKE_BAD_ID', `${name} must be an integer from 1`];
}

export function textFlaw(name: string, value: unknown, limit: number): Flaw | undefined {
  if (typeof value !== 'string' || value.length === 0) {
    return ['PREWAKE_BAD_FIELD', `${name} must be a string that is not empty`];
  }
  if (value.length > limit) return ['PREWAKE_KEY_TOO_LONG', `${name} is longer than ${limit} characters`];
  if (!isPrintable(value)) return ['PREWAKE_BAD_FIELD', `${name} has control characters`];
  return undefined;
}

export function integerFlaw(name: string, value: unknown, min: number, max: number): Flaw | undefined {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return undefined;
  return ['PREWAKE_BAD_FIELD', `${name} must be an integer from ${min} to ${max}`];
}

export function booleanFlaw(name: string, value: unknown): Flaw | undefined {
  return typeof value === 'boolean' ? undefined : ['PREWAKE_BAD_FIELD', `${name} must be true or false`];
}
