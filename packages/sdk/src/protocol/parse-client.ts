import {
  booleanFlaw,
  countedIdFlaw,
  type Flaw,
  integerFlaw,
  isStepId,
  isTime,
  MAX_KEY_LENGTH,
  MAX_KIND_LENGTH,
  MAX_TIME_AHEAD,
  stepIdFlaw,
  textFlaw,
  timeFlaw,
} from './fields.ts';
import type { ClientFrame, Micros } from './frames.ts';
import { parseObject, type RawFrame } from './parse-object.ts';
import { ProtocolError } from './protocol-error.ts';

const MAX_THREAD = 2 ** 31 - 1;
const MAX_TOKENS = 1e9;

/** Fields that several frames have and may leave out. */
function optionalFlaw(raw: RawFrame, now: Micros): Flaw | undefined {
  return (
    (raw.key === undefined ? undefined : textFlaw('key', raw.key, MAX_KEY_LENGTH)) ??
    (raw.thread === undefined ? undefined : integerFlaw('thread', raw.thread, 1, MAX_THREAD)) ??
    (raw.deadline === undefined ? undefined : timeFlaw('deadline', raw.deadline, now))
  );
}

function listFlaw(name: string, value: unknown, now: Micros, isSecond: (value: unknown) => boolean) {
  if (!Array.isArray(value) || value.length % 2 !== 0) {
    return ['PREWAKE_BAD_FIELD', `${name} must be a flat list of pairs`] as const;
  }
  let before = 0;
  for (let i = 0; i < value.length; i += 2) {
    const at: unknown = value[i];
    if (!isTime(at, now)) return timeFlaw(`${name}[${i}]`, at, now);
    if (at < before) return ['PREWAKE_BAD_TIME', `${name} must ascend`] as const;
    if (!isSecond(value[i + 1])) return ['PREWAKE_BAD_FIELD', `${name}[${i + 1}] is not valid`] as const;
    before = at;
  }
  return undefined;
}

const isMark = (value: unknown) => value === '' || isStepId(value);
const isPause = (value: unknown) => typeof value === 'number' && value >= 0 && value <= MAX_TIME_AHEAD;

const checks: Record<ClientFrame['type'], (raw: RawFrame, now: Micros) => Flaw | undefined> = {
  step: (raw, now) =>
    stepIdFlaw('id', raw.id) ??
    textFlaw('kind', raw.kind, MAX_KIND_LENGTH) ??
    timeFlaw('at', raw.at, now) ??
    (raw.parent === undefined ? undefined : stepIdFlaw('parent', raw.parent)) ??
    (raw.report === undefined ? undefined : booleanFlaw('report', raw.report)) ??
    (raw.pool === undefined ? undefined : booleanFlaw('pool', raw.pool)) ??
    optionalFlaw(raw, now),
  step_end: (raw, now) => stepIdFlaw('id', raw.id) ?? timeFlaw('at', raw.at, now),
  wait: (raw, now) =>
    countedIdFlaw('id', raw.id) ??
    stepIdFlaw('step', raw.step) ??
    textFlaw('kind', raw.kind, MAX_KIND_LENGTH) ??
    timeFlaw('at', raw.at, now) ??
    (raw.inputTokens === undefined
      ? undefined
      : integerFlaw('inputTokens', raw.inputTokens, 0, MAX_TOKENS)) ??
    (raw.stream === undefined ? undefined : booleanFlaw('stream', raw.stream)) ??
    optionalFlaw(raw, now),
  signal: (raw, now) =>
    countedIdFlaw('wait', raw.wait) ??
    textFlaw('signal', raw.signal, MAX_KIND_LENGTH) ??
    timeFlaw('at', raw.at, now) ??
    (raw.deadline === undefined ? undefined : timeFlaw('deadline', raw.deadline, now)),
  wait_end: (raw, now) =>
    countedIdFlaw('id', raw.id) ??
    timeFlaw('at', raw.at, now) ??
    (raw.cancelled === undefined ? undefined : booleanFlaw('cancelled', raw.cancelled)),
  run: (raw, now) =>
    integerFlaw('thread', raw.thread, 1, MAX_THREAD) ?? listFlaw('marks', raw.marks, now, isMark),
  pool: (raw, now) =>
    countedIdFlaw('id', raw.id) ??
    (raw.step === undefined ? undefined : stepIdFlaw('step', raw.step)) ??
    timeFlaw('at', raw.at, now),
  pool_end: (raw, now) => countedIdFlaw('id', raw.id) ?? timeFlaw('at', raw.at, now),
  gc: (raw, now) =>
    integerFlaw('thread', raw.thread, 1, MAX_THREAD) ?? listFlaw('pauses', raw.pauses, now, isPause),
  ping: (raw) => integerFlaw('id', raw.id, 0, Number.MAX_SAFE_INTEGER),
};

/**
 * Reads one line of a client. Never throws.
 *
 * @param line without its newline
 * @param now the reader's clock: bounds the times that are believed
 * @returns the frame, whose known fields have been checked (unknown ones are still there and mean nothing), or a
 *   {@link ProtocolError}: `fatal` where the line is malformed, otherwise the frame is to be ignored and answered.
 *   It has `type: 'error'`, so one `switch` on `type` handles both.
 */
export function parseClientFrame(line: string | Buffer, now: Micros): ClientFrame | ProtocolError {
  const raw = parseObject(line);
  if (raw instanceof ProtocolError) return raw;
  const type = raw.type as ClientFrame['type'];
  if (typeof type !== 'string' || !Object.hasOwn(checks, type)) {
    return new ProtocolError('PREWAKE_UNKNOWN_TYPE', 'The frame has no type that this end knows');
  }
  const flaw = checks[type](raw, now);
  if (flaw) return new ProtocolError(flaw[0], `${type}: ${flaw[1]}`);
  return raw as unknown as ClientFrame;
}
