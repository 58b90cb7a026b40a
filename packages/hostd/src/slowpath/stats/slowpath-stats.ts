import { PrewakeError } from '@prewake/sdk/protocol';
import type { EventRecord } from '../../kernel/slice.ts';
import type { Intervals } from '../intervals.ts';
import type { StoredSlice } from '../stored-slice.ts';
import { Gathering, NO_CPU } from './gathering.ts';
import { Group } from './group.ts';
import type { Histogram } from './histogram.ts';
import {
  isStatistic,
  matches,
  ofEvent,
  ofSlice,
  ofWakeup,
  STATISTIC_NAMES,
  type Statistic,
  unitOf,
} from './statistics.ts';

/** What histograms can be split by. `host`: one for all that may be seen. */
export const DIMENSIONS = ['host', 'session', 'cgroup', 'cpu', 'key', 'step'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** How many groups of each kind are kept; the one that was longest without news makes room. */
const LIMITS: Record<Dimension, number> = {
  host: 256,
  session: 256,
  cgroup: 256,
  cpu: 2048,
  key: 1024,
  step: 1024,
};

/** Who is being recorded. */
export interface StatsOwner {
  readonly user: number;
  readonly session: string;
  readonly cgroup: string;
}

export interface StatsStep {
  readonly id: string;
  readonly kind: string;
  readonly key: string;
}

export interface StatsQuery {
  /** A category (`timer`), a part of several (`wakeup`) or one statistic (`vfs.open`); absent: all. */
  category?: string | undefined;
  /** Default `host`. */
  by?: string | undefined;
  /** Limits the answer to one user's own. */
  user?: number | undefined;
}

/** One histogram. All values are in `unit`. */
export interface StatsRow {
  category: Statistic;
  unit: 'ns' | 'count' | 'kHz';
  of?: string;
  count: number;
  sum: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
  /** [upper end, count], ascending. */
  buckets: [upTo: number, count: number][];
}

/**
 * Histograms of what slices tell. By host, session, cgroup and CPU each slice is counted once; by key and step once
 * for each step that paid or experienced it, as on the spans. Bounded, and private to the user whose processes they are.
 */
export class SlowpathStats {
  readonly #groups = new Map<Dimension, Map<string, Group>>();
  readonly #gathering = new Gathering((dimension, user, of, sums) =>
    this.#group(dimension, user, of).merge(sums),
  );

  /** A slice, once. @param step whose it is as a whole: what others pay is told by {@link paid} and the like */
  slice(slice: StoredSlice, intervals: Intervals, owner: StatsOwner, step?: StatsStep): void {
    const sums = this.#gathering.of(owner, slice.cpu, step);
    for (let i = 0; i < intervals.length; i++) {
      const { category, ns } = intervals.at(i);
      sums.add(category, ns);
    }
    ofWakeup(slice, sums);
    ofSlice(slice, sums);
  }

  /** A single request or call, and the steps that it is of. */
  event(event: EventRecord, owner: StatsOwner, steps: readonly StatsStep[]): void {
    ofEvent(event, this.#gathering.of(owner, event.cpu, undefined));
    for (const step of steps) ofEvent(event, this.#gathering.of(owner, NO_CPU, step));
  }

  /** What a step paid. @param category its index */
  paid(step: StatsStep, owner: StatsOwner, category: number, ns: number): void {
    this.#gathering.of(owner, NO_CPU, step).add(category, ns);
  }

  woken(step: StatsStep, owner: StatsOwner, slice: StoredSlice): void {
    ofWakeup(slice, this.#gathering.of(owner, NO_CPU, step));
  }

  ran(step: StatsStep, owner: StatsOwner, slice: StoredSlice): void {
    ofSlice(slice, this.#gathering.of(owner, NO_CPU, step));
  }

  /** @throws PrewakeError PREWAKE_BAD_QUERY where the category or the split is none. */
  query({ category, by = 'host', user }: StatsQuery): StatsRow[] {
    const dimension = DIMENSIONS.find((one) => one === by);
    if (!dimension) throw new PrewakeError('PREWAKE_BAD_QUERY', `by=${by}: one of ${DIMENSIONS.join(', ')}`);
    if (category !== undefined && !isStatistic(category))
      throw new PrewakeError(
        'PREWAKE_BAD_QUERY',
        `category=${category}: not a category; docs/attribution.md lists them`,
      );
    this.#gathering.shareOut();
    const merged = new Map<string, Group>();
    for (const group of this.#groups.get(dimension)?.values() ?? []) {
      if (user !== undefined && group.user !== user) continue;
      let into = merged.get(group.of);
      if (!into) {
        into = new Group(-1, group.of);
        merged.set(group.of, into);
      }
      into.merge(group);
    }
    const rows: StatsRow[] = [];
    for (const group of merged.values())
      group.histograms.forEach((histogram, i) => {
        const statistic = STATISTIC_NAMES[i] as Statistic;
        if (histogram && histogram.count > 0 && (category === undefined || matches(statistic, category)))
          rows.push(row(statistic, group.of, histogram));
      });
    return rows.sort((a, b) => a.category.localeCompare(b.category) || b.sum - a.sum);
  }

  #group(dimension: Dimension, user: number, of: string): Group {
    let groups = this.#groups.get(dimension);
    if (!groups) {
      groups = new Map();
      this.#groups.set(dimension, groups);
    }
    const name = `${user} ${of}`;
    const known = groups.get(name);
    // Last in the map: it has had news. That matters only once somebody may have to go.
    if (known && groups.size >= LIMITS[dimension] / 2) {
      groups.delete(name);
      groups.set(name, known);
    }
    if (known) return known;
    const group = groups.size < LIMITS[dimension] ? new Group(user, of) : oldest(groups).reuse(user, of);
    groups.set(name, group);
    return group;
  }
}

/** Takes out the group that was longest without news. */
function oldest(groups: Map<string, Group>): Group {
  const [name, group] = groups.entries().next().value as [string, Group];
  groups.delete(name);
  return group;
}

function row(statistic: Statistic, of: string, histogram: Histogram): StatsRow {
  return {
    category: statistic,
    unit: unitOf(statistic),
    ...(of !== '' && { of }),
    count: histogram.count,
    sum: Math.round(histogram.sum),
    p50: histogram.quantile(0.5),
    p90: histogram.quantile(0.9),
    p99: histogram.quantile(0.99),
    max: histogram.max,
    buckets: histogram.buckets(),
  };
}
