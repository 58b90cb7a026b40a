import { type Micros, monotonicMicros } from '@prewake/sdk/protocol';
import type { MachineGuards } from '../guards/index.ts';
import { Alarm } from '../kernel/alarm.ts';
import { openRecorder } from '../kernel/bpf/index.ts';
import { OwnPlacement } from '../kernel/own-placement.ts';
import { PowerConditionsReader } from '../kernel/power-conditions.ts';
import type { Recorder } from '../kernel/recorder.ts';
import { EventKind } from '../kernel/slice.ts';
import { ownThreads, threadRole } from '../kernel/threads.ts';
import { WakeupCpus } from '../kernel/wakeup-cpus.ts';
import { type ConfigurableBudget, createBudget, createPolicy, type LearningPolicy } from '../policy/index.ts';
import { Claims } from '../session/claims.ts';
import type { DeadlineTimer } from '../session/deadline-timer.ts';
import { Deadlines } from '../session/deadlines.ts';
import { HoppingTimer } from '../session/hopping-timer.ts';
import { Reports } from '../session/reports.ts';
import type { Session } from '../session/session.ts';
import { Sessions } from '../session/sessions.ts';
import { type WindowEvent, Windows } from '../session/windows.ts';
import { Attribution } from '../slowpath/attribution.ts';
import { SlowpathStats } from '../slowpath/stats/slowpath-stats.ts';
import { budgetFrame } from './budget-frame.ts';
import { Conductor } from './conductor.ts';
import type { HostdConfig } from './config.ts';
import { ADMINISTRATORS, EVERYONE, EventStream } from './event-stream.ts';
import { Followed } from './followed.ts';
import { GuardLedger } from './guard-ledger.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { StateFile } from './state-file.ts';
import { Thrift } from './thrift.ts';

/** The parts of a running hostd, made and joined in one place. */
export interface Parts {
  readonly now: () => Micros;
  readonly sessions: Sessions;
  readonly events: EventStream;
  readonly deadlines: Deadlines;
  readonly budget: ConfigurableBudget;
  readonly thrift: Thrift;
  readonly guards: MachineGuards;
  readonly recorder: Recorder;
  readonly attribution: Attribution;
  readonly stats: SlowpathStats;
  readonly policy: LearningPolicy;
  readonly state: StateFile;
  readonly claims: Claims;
  readonly windows: Windows;
  readonly reports: Reports;
  readonly metrics: Metrics;
  readonly followed: Followed;
  readonly conductor: Conductor;
}

const SOURCES = {
  auto: ['bpf', 'schedstat', 'none'],
  bpf: ['bpf'],
  schedstat: ['schedstat'],
  off: [],
} as const satisfies Record<HostdConfig['recorder']['source'], readonly Recorder['source'][]>;

export interface PartsOptions {
  /** Started, and perhaps not ready. */
  guards: MachineGuards;
  /** Write nothing: neither what was learned. */
  dryRun: boolean;
  log: Log;
  onSessionEnded: (session: Session) => void;
}

/** Makes every other part; nothing listens yet. */
export async function makeParts(config: HostdConfig, options: PartsOptions): Promise<Parts> {
  const { guards, dryRun, log } = options;
  const now = monotonicMicros;
  const sessions = new Sessions();
  const events = new EventStream();
  const deadlines = new Deadlines(now, timerFor(now));
  const ledger = new GuardLedger(events, log, now);
  const recorder = openRecorder({
    ringBytes: config.recorder.ringBytes,
    sources: SOURCES[config.recorder.source],
    ...(config.recorder.events === 'all' && { events: Object.values(EventKind) }),
  });
  await guards.guardianReady;
  const stats = new SlowpathStats();
  const attribution = new Attribution({
    isCovered: (cpu, at) => ledger.armed.isCovered(cpu, at),
    threadRole,
    stats,
  });
  const policy = createPolicy(config.policy, { random: Math.random, costs: recorder.source === 'bpf' });
  const state = new StateFile(config.stateDir, policy, { log, now, readOnly: dryRun });
  state.load();
  const budget = createBudget(config.budget);
  const conditions = new PowerConditionsReader();
  const thrift = new Thrift({ budget, parts: config.budget.parts, read: () => conditions.read(), now });
  const wakeupCpus = new WakeupCpus(recorder);
  const claims = new Claims({
    budget,
    guards,
    now,
    cpusOf: (tgid, tid, at, slept) => wakeupCpus.of(tgid, tid, at, slept),
    idleLatencyUs: config.guards.idleLatencyUs,
  });
  const activeWindowUs = config.policy.activeWindowMs * 1000;
  const windows = new Windows({ policy, claims, guards, deadlines, now, activeWindowUs });
  guards.onEvent = (event) => {
    ledger.guardEvent(event);
    if (event.type === 'void') windows.voided(event.by);
  };
  const reports = new Reports({ recorder, attribution, sessions, deadlines, now });
  recorder.onPressure = () => reports.drain();
  deadlines.onFired = () => {
    reports.whileAwake();
    // A long window has no waits that begin.
    thrift.look();
  };
  const metrics = new Metrics({
    sessions: () => sessions.size,
    openWaits: () => windows.openWaits,
    leases: () => guards.leases().length,
    buckets: () => budget.snapshot(now()),
    armedSeconds: () => ledger.armedSeconds(),
    records: () => reports.records,
    foreignWriters: () => ledger.foreignWriters,
    frameErrors: () => {
      let sum = 0;
      for (const { counters } of sessions) sum += counters.errors;
      return sum;
    },
  });
  const followed = new Followed({
    sessions,
    recorder,
    attribution,
    deadlines,
    now,
    detachAfterMs: config.recorder.detachAfterMs,
    log,
    onQuiet: () => state.save(),
  });
  const conductor = new Conductor({
    windows,
    attribution,
    reports,
    events,
    metrics,
    onWait() {
      thrift.look();
      state.keep();
    },
    counting: recorder.source === 'schedstat',
    now,
    onEnded: options.onSessionEnded,
  });
  const parts = {
    ...{ now, sessions, events, deadlines, budget, thrift, guards, recorder, attribution, stats },
    ...{ policy, state, claims, windows, reports, metrics, followed, conductor },
  };
  tell(parts, log);
  return parts;
}

/** The kernel's own timer, or Node's where libc has none to offer. */
const timerFor =
  (now: () => Micros) =>
  (fire: () => void): DeadlineTimer => {
    try {
      return new Alarm(fire);
    } catch {
      return new HoppingTimer(now, fire);
    }
  };

/** Whose business a bucket's state is: of a cgroup's, its sessions are told themselves. */
function ownerOf(bucket: string): number {
  if (bucket === 'host') return EVERYONE;
  return bucket.startsWith('user:') ? Number(bucket.slice('user:'.length)) : ADMINISTRATORS;
}

/** What one part finds out, told to those whom it concerns: the policy, the client, metrics, events, the log. */
function tell(parts: Parts, log: Log): void {
  const { attribution, budget, deadlines, events, metrics, now, policy, reports, sessions, thrift, windows } =
    parts;
  const placement = new OwnPlacement(ownThreads());
  const uidOf = (wait: string) => sessions.get(wait.slice(0, wait.indexOf('/')))?.peer.uid ?? 0;
  reports.onReport = (session, report) => {
    metrics.reports.inc({ complete: String(report.complete) });
    events.emit(() => ({ type: 'report', uid: session.peer.uid, session: session.id, report }));
  };
  reports.onWakeupCost = (cost) => {
    policy.wakeupCost(cost);
    events.emit(() => ({ type: 'wakeup', uid: uidOf(cost.wait), ...cost }));
  };
  const show = (event: WindowEvent) => events.emit(() => ({ uid: uidOf(event.wait), ...event }));
  windows.onEvent = (event) => {
    if (event.type === 'planned') {
      // Once everything else is done: it reads where a thread last ran.
      if (placement.due(event.at)) setImmediate(() => placement.avoid(event.cpus(), now()));
      return;
    }
    if (event.type === 'armed') {
      attribution.windowOpened(event.session, event.wait, event.at * 1000);
      metrics.armLateness.observe(Math.max(0, event.lateUs) / 1e6);
      if (event.planned) placement.late(event.lateUs, event.at);
      placement.avoid(event.cpus, event.at);
    } else if (event.type === 'released')
      attribution.windowClosed(event.session, event.wait, event.at * 1000);
    else metrics.refused.inc({ reason: event.grant.reason });
    if (events.watched) show(event);
  };
  /** Degraded buckets that will be looked at: they notice their recovery only then. */
  const awaited = new Set<string>();
  const awaitRecovery = (name: string, ms: number) => {
    awaited.add(name);
    deadlines.at(now() + ms * 1000, () => {
      awaited.delete(name);
      const bucket = budget.snapshot(now()).find((state) => state.bucket === name);
      // What was armed for longer than was paid for, or refill that was cut, has made it later.
      if (bucket?.degraded) awaitRecovery(name, bucket.retryMs);
    });
  };
  budget.onChange = (change) => {
    const { bucket, state, at, retryMs, refilled } = change;
    metrics.budgetChanges.inc({ scope: bucket.split(':')[0] ?? '', state });
    events.emit(() => ({ type: 'budget', uid: ownerOf(bucket), bucket, state, at, retryMs, refilled }));
    log(`budget ${bucket} ${state}`);
    if (state === 'degraded' && !awaited.has(bucket)) awaitRecovery(bucket, retryMs);
    for (const session of sessions)
      if (bucket === 'host' || session.buckets.includes(bucket)) session.sendAlong(budgetFrame(change));
  };
  thrift.onChange = (part, reasons) => {
    windows.lookAgain();
    events.emit(() => ({ type: 'thrift', uid: EVERYONE, part, reasons, at: now() }));
    log(`budgets refill at ${part * 100} %${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`);
  };
}
