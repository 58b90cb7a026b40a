import type { Micros } from '@prewake/sdk/protocol';
import type { CorrectionKeys } from './corrections.ts';
import type { Recent, SessionHistory } from './session-history.ts';

/**
 * The contexts in which a wait is looked up beside its class. Each is an expert: what it has seen differently from
 * the class as a whole counts as much as it has been right before (see mixture.ts).
 */
export const CONTEXTS = [
  'session', // the same class in this session
  'previous', // after which class
  'path', // after which two families, and how long the last took
  'growth', // how many input tokens more than before in this session
  'family_last', // after which family, and how long the class's last wait in this session took
  'kind_previous', // any class of the kind, after which class
  'family', // any class of the family
] as const;

/** Contexts from here on belong to the kind, and not to the class. */
export const FIRST_WIDE: number = CONTEXTS.indexOf('kind_previous');

/** Context keys of one wait; NaN where a context does not apply. */
export type ContextKeys = readonly number[];

export interface Subject {
  classId: number;
  kindId: number;
  family: number;
  /** Whether its own session alone may use the `session` context, by the session's number. */
  sessionId: number;
  tokens: number;
}

/** What a context key has room for: values and ids of owners below these. Keys stay exact integers: 4 + 20 + 24 bits. */
export const VALUE: number = 2 ** 24;
export const OWNER: number = 2 ** 20;

/** @param recent what the history has of the class */
export function contextKeys(
  subject: Subject,
  history: SessionHistory,
  recent: Recent | undefined,
): ContextKeys {
  const { classId, tokens } = subject;
  const { lastClass, lastFamily } = history;
  const growth = tokens - history.lastTokens;
  const step = Number.isNaN(tokens) ? Number.NaN : octave(growth, Math.log2(growth), 1);
  const last = recent ? Math.round(recent[0] as number) : 63;
  const path = mix(mix(lastFamily, history.familyBefore), octave(history.lastUs, history.lastLog, 0.5));
  return [
    key(0, classId, subject.sessionId),
    key(1, classId, lastClass),
    key(2, classId, path),
    Number.isNaN(step) ? Number.NaN : key(3, classId, step),
    key(4, classId, mix(lastFamily, last)),
    key(5, subject.kindId, lastClass),
    key(6, subject.kindId, subject.family),
  ];
}

/** The contexts by which the mixture is corrected, of the kind: how long another kind's wait just before took, and which it was. */
export function correctionKeys({ kindId }: Subject, history: SessionHistory): CorrectionKeys {
  const { lastKind, lastClass, lastLog, lastUs } = history;
  // A parallel wait of the same kind says little, and may not have ended yet where a trace lists it so.
  const length = lastKind === kindId ? Number.NaN : key(0, kindId, octave(lastUs, lastLog, 2));
  return [length, key(1, kindId, lastClass)];
}

/** The family of a key: what stands before the first blank, without a version at its end. `Bash:python3.11 -m pytest` → `Bash:python`. */
export function familyOf(name: string): number {
  const blank = name.indexOf(' ');
  let end = blank < 0 ? name.length : blank;
  while (end > 1 && isVersion(name.charCodeAt(end - 1))) end--;
  let hash = 2166136261;
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return (hash >>> 8) | 1;
}

function isVersion(code: number): boolean {
  return (code >= 48 && code <= 57) || code === 46;
}

/** Whether a key is of the context that one session has for itself. */
export function isSessionKey(key: number): boolean {
  return contextOf(key) === CONTEXTS.indexOf('session');
}

/** Whether a key's owner is a kind, and not a class. */
export function kindWide(key: number): boolean {
  return contextOf(key) >= FIRST_WIDE;
}

/** The id of the class or kind that a context belongs to. */
export function ownerOf(key: number): number {
  return Math.floor(key / VALUE) % OWNER;
}

function contextOf(key: number): number {
  return Math.floor(key / VALUE / OWNER);
}

/** @param owner below {@link OWNER}, as all ids are; and `value` below {@link VALUE}: no remainder is taken, it is dear */
function key(context: number, owner: number, value: number): number {
  return (context * OWNER + owner) * VALUE + value;
}

/** Octaves of a positive number, whose log2 is given, in steps: 0 where it is not positive, 63 where it is not known. */
function octave(value: Micros, log: number, steps: number): number {
  if (Number.isNaN(value)) return 63;
  return value >= 1 ? 1 + Math.min(61, Math.round(log * steps)) : 0;
}

function mix(a: number, b: number): number {
  return (Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) >>> 8) & 0xffffff;
}
