import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BucketState } from '../policy/index.ts';

/** What the gauges read when somebody scrapes; between scrapes nothing is computed. */
export interface MetricSources {
  sessions(): number;
  openWaits(): number;
  leases(): number;
  buckets(): BucketState[];
  armedSeconds(): Iterable<[guard: string, seconds: number]>;
  records(): { read: number; lost: number };
  foreignWriters(): number;
}

/** hostd's metrics, in the Prometheus text format (`GET /metrics`). */
export class Metrics {
  readonly #registry = new Registry();
  readonly waits: Counter<'kind' | 'plan' | 'open'>;
  readonly refused: Counter<'reason'>;
  readonly budgetChanges: Counter<'scope' | 'state'>;
  readonly reports: Counter<'complete'>;
  readonly frameErrors: Counter<string>;
  readonly armLateness: Histogram<string>;

  constructor(sources: MetricSources) {
    const registers = [this.#registry];
    const gauge = (
      name: string,
      help: string,
      collect: (gauge: Gauge<string>) => void,
      labelNames: string[] = [],
    ) =>
      new Gauge({
        name,
        help,
        registers,
        labelNames,
        collect() {
          collect(this);
        },
      });
    gauge('prewake_sessions', 'Connected sessions', (it) => it.set(sources.sessions()));
    gauge('prewake_open_waits', 'Waits that have begun and not ended', (it) => it.set(sources.openWaits()));
    gauge('prewake_leases', 'Leases held on guards', (it) => it.set(sources.leases()));
    gauge(
      'prewake_budget_tokens',
      'Weighted armed CPU-milliseconds in a bucket (host and users)',
      (it) => {
        it.reset();
        // A bucket for each cgroup would be a series for each container that ever was.
        for (const bucket of sources.buckets())
          if (!bucket.bucket.startsWith('cgroup:')) it.set({ bucket: bucket.bucket }, bucket.tokens);
      },
      ['bucket'],
    );
    this.#counterOf(
      'prewake_armed_seconds_total',
      'Time that targets were held, by guard',
      (it) => {
        for (const [guard, seconds] of sources.armedSeconds()) it.inc({ guard }, seconds);
      },
      ['guard'],
    );
    this.#counterOf('prewake_records_total', 'Records read from the ring', (it) =>
      it.inc(sources.records().read),
    );
    this.#counterOf('prewake_records_lost_total', 'Records that a full ring dropped', (it) =>
      it.inc(sources.records().lost),
    );
    this.#counterOf(
      'prewake_foreign_writers_total',
      'Claims given up because another tool wrote the control',
      (it) => it.inc(sources.foreignWriters()),
    );
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
      new Counter<Label>({ name, help, labelNames, registers });
    this.waits = counter(
      'prewake_waits_total',
      'Ended waits, by kind, plan and whether a window was open at the end',
      ['kind', 'plan', 'open'],
    );
    this.refused = counter('prewake_refused_total', 'Leases refused or cut, by reason', ['reason']);
    this.budgetChanges = counter(
      'prewake_budget_changes_total',
      'Budgets degraded and recovered, by scope (host, user, cgroup)',
      ['scope', 'state'],
    );
    this.reports = counter('prewake_reports_total', 'Step reports sent', ['complete']);
    this.frameErrors = counter('prewake_frame_errors_total', 'Frames that were refused', []);
    this.armLateness = new Histogram({
      name: 'prewake_arm_lateness_seconds',
      help: 'From the planned start of a window to its guards being written',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05],
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A counter whose total is kept elsewhere. */
  #counterOf(
    name: string,
    help: string,
    collect: (counter: Counter<string>) => void,
    labelNames: string[] = [],
  ) {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  }
}
