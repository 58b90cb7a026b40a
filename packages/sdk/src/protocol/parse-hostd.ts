import { CATEGORIES, type Category } from './categories.ts';
import { countedIdFlaw, type Flaw, isTime, stepIdFlaw, timeFlaw } from './fields.ts';
import type { HostdFrame, Micros, ReportFrame, SlowpathEvent } from './frames.ts';
import { parseObject, type RawFrame } from './parse-object.ts';
import { ProtocolError } from './protocol-error.ts';

const known = new Set<unknown>(CATEGORIES);

const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isObject = (value: unknown): value is RawFrame => typeof value === 'object' && value !== null;

/** Keeps the entries that are amounts; a newer hostd may know categories that we do not. */
function amounts(value: unknown, isName: (name: string) => boolean): Record<string, number> {
  const kept: Record<string, number> = {};
  if (!isObject(value)) return kept;
  for (const [name, amount] of Object.entries(value)) {
    if (isName(name) && isAmount(amount)) kept[name] = amount;
  }
  return kept;
}

function events(value: unknown, now: Micros): SlowpathEvent[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (event): event is SlowpathEvent =>
      isObject(event) &&
      known.has(event.category) &&
      isTime(event.at, now) &&
      isAmount(event.ns) &&
      (event.detail === undefined || typeof event.detail === 'string'),
  );
}

/** A report with all that could be read of it: what is missing or odd is unknown, and makes it incomplete. */
function report(raw: RawFrame, now: Micros): ReportFrame {
  const wakeups = isObject(raw.wakeups) ? raw.wakeups : {};
  const count = (value: unknown) => (isAmount(value) ? value : 0);
  const isCategory = (name: string) => known.has(name);
  const whole =
    raw.complete === true && isObject(raw.self) && Array.isArray(raw.unknown) && isObject(raw.wakeups);
  const shared = raw.shared;
  return {
    type: 'report',
    step: raw.step as string,
    complete: whole,
    ...(whole ? {} : { incomplete: typeof raw.incomplete === 'string' ? raw.incomplete : 'lost' }),
    source: raw.source === 'bpf' || raw.source === 'schedstat' ? raw.source : 'none',
    self: amounts(raw.self, isCategory),
    ...(isObject(raw.inclusive) ? { inclusive: amounts(raw.inclusive, isCategory) } : {}),
    ...(isObject(raw.counts) ? { counts: amounts(raw.counts, () => true) } : {}),
    unknown: (Array.isArray(raw.unknown) ? raw.unknown : []).filter((name): name is Category =>
      known.has(name),
    ),
    ...(isObject(shared) && isAmount(shared.ns) && isAmount(shared.candidates)
      ? { shared: { ns: shared.ns, candidates: shared.candidates } }
      : {}),
    wakeups: { total: count(wakeups.total), covered: count(wakeups.covered), missed: count(wakeups.missed) },
    ...(isAmount(raw.cpuNs) ? { cpuNs: raw.cpuNs } : {}),
    events: events(raw.events, now),
  };
}

function oneOf(name: string, value: unknown, words: readonly string[]): Flaw | undefined {
  if (typeof value === 'string' && words.includes(value)) return undefined;
  return ['PREWAKE_BAD_FIELD', `${name} must be one of ${words.join(', ')}`];
}

function text(name: string, value: unknown): Flaw | undefined {
  return typeof value === 'string' ? undefined : ['PREWAKE_BAD_FIELD', `${name} must be a string`];
}

const checks: Record<HostdFrame['type'], (raw: RawFrame, now: Micros) => Flaw | undefined> = {
  welcome: (raw) =>
    text('session', raw.session) ??
    text('version', raw.version) ??
    oneOf('mode', raw.mode, ['arm', 'observe', 'paused']) ??
    oneOf('recorder', raw.recorder, ['bpf', 'schedstat', 'none']),
  report: (raw) => stepIdFlaw('step', raw.step),
  window: (raw) => countedIdFlaw('wait', raw.wait) ?? oneOf('state', raw.state, ['released', 'refused']),
  budget: (raw) => oneOf('state', raw.state, ['degraded', 'recovered']) ?? text('bucket', raw.bucket),
  error: (raw) => text('code', raw.code) ?? text('message', raw.message),
  pong: (raw, now) => timeFlaw('at', raw.at, now),
};

/** Reads one line of hostd. Never throws; returns a {@link ProtocolError} as `parseClientFrame` does. */
export function parseHostdFrame(line: string | Buffer, now: Micros): HostdFrame | ProtocolError {
  const raw = parseObject(line);
  if (raw instanceof ProtocolError) return raw;
  const type = raw.type as HostdFrame['type'];
  if (typeof type !== 'string' || !Object.hasOwn(checks, type)) {
    return new ProtocolError('PREWAKE_UNKNOWN_TYPE', 'The frame has no type that this end knows');
  }
  const flaw = checks[type](raw, now);
  if (flaw) return new ProtocolError(flaw[0], `${type}: ${flaw[1]}`);
  return type === 'report' ? report(raw, now) : (raw as unknown as HostdFrame);
}
