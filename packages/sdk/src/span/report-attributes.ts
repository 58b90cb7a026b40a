import type { Attributes } from '@opentelemetry/api';
import { CATEGORIES, type ReportFrame } from '../protocol/index.ts';
import {
  ATTR_CANDIDATES,
  ATTR_COMPLETE,
  ATTR_CPU_NS,
  ATTR_INCOMPLETE,
  ATTR_SHARED_NS,
  ATTR_SOURCE,
  ATTR_UNKNOWN,
  ATTR_WAKEUPS,
  ATTR_WAKEUPS_COVERED,
  ATTR_WAKEUPS_MISSED,
  attrCount,
  attrInclusive,
  attrPressure,
  attrSelf,
} from '../semconv.ts';

/** Composed once: this runs at the end of every recorded step. */
const SELF = CATEGORIES.map((category) => [category, attrSelf(category)] as const);

/** What is known of a step, wherever it comes from. */
export type Figures = Omit<ReportFrame, 'type' | 'step' | 'source' | 'wakeups' | 'events'> & {
  source: ReportFrame['source'] | 'local';
  wakeups?: ReportFrame['wakeups'];
  /** The host's pressure stall time during the step, in microseconds (PSI, `some`). */
  pressure?: { cpu?: number; memory?: number; io?: number };
};

/** Figures as span attributes. A category is either a number or in the list of the unknown: never a zero for want of knowledge. */
export function reportAttributes(figures: Figures): Attributes {
  const attributes: Attributes = {
    [ATTR_COMPLETE]: figures.complete,
    [ATTR_SOURCE]: figures.source,
  };
  if (!figures.complete) attributes[ATTR_INCOMPLETE] = figures.incomplete ?? 'lost';
  const unknown: string[] = [];
  for (const [category, attribute] of SELF) {
    const ns = figures.self[category];
    if (ns === undefined || figures.unknown.includes(category)) unknown.push(category);
    else attributes[attribute] = Math.round(ns);
  }
  if (unknown.length > 0) attributes[ATTR_UNKNOWN] = unknown;
  for (const [category, ns] of Object.entries(figures.inclusive ?? {})) {
    attributes[attrInclusive(category)] = Math.round(ns);
  }
  for (const [name, count] of Object.entries(figures.counts ?? {})) attributes[attrCount(name)] = count;
  if (figures.wakeups) {
    attributes[ATTR_WAKEUPS] = figures.wakeups.total;
    attributes[ATTR_WAKEUPS_COVERED] = figures.wakeups.covered;
    attributes[ATTR_WAKEUPS_MISSED] = figures.wakeups.missed;
  }
  for (const [resource, micros] of Object.entries(figures.pressure ?? {})) {
    attributes[attrPressure(resource)] = micros;
  }
  if (figures.shared) {
    attributes[ATTR_SHARED_NS] = Math.round(figures.shared.ns);
    attributes[ATTR_CANDIDATES] = figures.shared.candidates;
  }
  if (figures.cpuNs !== undefined) attributes[ATTR_CPU_NS] = Math.round(figures.cpuNs);
  return attributes;
}
