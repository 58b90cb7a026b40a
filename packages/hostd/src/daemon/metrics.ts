import type { BucketState } from '../policy/index.ts';
import { Counter, type Sample } from './counter.ts';
import { Histogram } from './histogram.ts';

/** What the gauges read when somebody scrapes; between scrapes nothing is computed. */
export interface MetricSources {
  sessions(): number;
  openWaits(): number;
  leases(): number;
  buckets(): Pick<BucketState, 'bucket' | 'tokens' | 'refilled'>[];
  armedSeconds(): Iterable<[guard: string, seconds: number]>;
  records(): { read: number; lost: number };
  foreignWriters(): number;
  /** Of the sessions that are connected. */
  frameErrors(): number;
}

/** One metric, in the form that prom-client's workers send theirs in. */
interface Metric {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  values: Sample[];
  /** Of values with the same labels. */
  aggregator: 'sum';
}

/**
 * hostd's metrics, in the Prometheus text format (`GET /metrics`). prom-client writes it, from what is counted here:
 * loading it takes a tenth of hostd's start, and nobody may ever scrape.
 */
export class Metrics {
  readonly #sources: MetricSources;
  readonly waits = new Counter<'kind' | 'plan' | 'open'>();
  readonly refused = new Counter<'reason'>();
  readonly budgetChanges = new Counter<'scope' | 'state'>();
  readonly reports = new Counter<'complete'>();
  /** Of sessions that have ended. */
  frameErrors = 0;
  readonly armLateness = new Histogram([0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05]);

  constructor(sources: MetricSources) {
    this.#sources = sources;
  }

  /** @param uid whose bucket is shown, beside the host's; undefined: everybody's */
  async page(uid?: number): Promise<{ contentType: string; text: string }> {
    const { AggregatorRegistry } = await import('prom-client');
    const registry = AggregatorRegistry.aggregate([[...this.#read(uid), ...this.#counted()]]);
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** What is kept elsewhere. */
  #read(uid: number | undefined): Metric[] {
    const sources = this.#sources;
    const { read, lost } = sources.records();
    // A bucket for each cgroup would be a series for each container that ever was.
    const shown = ({ bucket }: { bucket: string }) =>
      uid === undefined ? !bucket.startsWith('cgroup:') : bucket === 'host' || bucket === `user:${uid}`;
    const buckets = sources.buckets().filter(shown);
    return [
      metric('gauge', 'prewake_sessions', 'Connected sessions', sources.sessions()),
      metric('gauge', 'prewake_open_waits', 'Waits that have begun and not ended', sources.openWaits()),
      metric('gauge', 'prewake_leases', 'Leases held on guards', sources.leases()),
      metric(
        'gauge',
        'prewake_budget_tokens',
        'Weighted armed CPU-milliseconds in a bucket (host and users)',
        buckets.map(({ bucket, tokens }) => ({ labels: { bucket }, value: tokens })),
      ),
      metric(
        'counter',
        'prewake_budget_refilled_tokens_total',
        'Tokens that refill has added to a bucket (host and users)',
        buckets.map(({ bucket, refilled }) => ({ labels: { bucket }, value: refilled })),
      ),
      metric(
        'counter',
        'prewake_armed_seconds_total',
        'Time that targets were held, by guard',
        [...sources.armedSeconds()].map(([guard, seconds]) => ({ labels: { guard }, value: seconds })),
      ),
      metric('counter', 'prewake_records_total', 'Records read from the ring', read),
      metric('counter', 'prewake_records_lost_total', 'Records that a full ring dropped', lost),
      metric(
        'counter',
        'prewake_foreign_writers_total',
        'Claims given up because another tool wrote the control',
        sources.foreignWriters(),
      ),
      metric(
        'counter',
        'prewake_frame_errors_total',
        'Frames that were refused',
        this.frameErrors + sources.frameErrors(),
      ),
    ];
  }

  #counted(): Metric[] {
    const lateness = 'prewake_arm_lateness_seconds';
    return [
      metric(
        'counter',
        'prewake_waits_total',
        'Ended waits, by kind, plan and whether a window was open at the end',
        this.waits.samples(),
      ),
      metric('counter', 'prewake_refused_total', 'Leases refused or cut, by reason', this.refused.samples()),
      metric(
        'counter',
        'prewake_budget_changes_total',
        'Budgets degraded and recovered, by scope (host, user, cgroup)',
        this.budgetChanges.samples(),
      ),
      metric('counter', 'prewake_reports_total', 'Step reports sent', this.reports.samples()),
      metric(
        'histogram',
        lateness,
        'From the planned start of a window to its guards being written',
        this.armLateness.samples(lateness),
      ),
    ];
  }
}

function metric(type: Metric['type'], name: string, help: string, given: Sample[] | number): Metric {
  const values = typeof given === 'number' ? [{ labels: {}, value: given }] : given;
  return { name, help, type, values, aggregator: 'sum' };
}
