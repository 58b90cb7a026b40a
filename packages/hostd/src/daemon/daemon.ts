import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { HEADER, monotonicMicros, PrewakeError } from '@prewake/sdk/protocol';
import { createGuardController, type MachineGuards } from '../guards/index.ts';
import { openRecorder } from '../kernel/bpf/index.ts';
import { cgroupOf } from '../kernel/cgroup.ts';
import type { FileLock } from '../kernel/lock.ts';
import type { Peer } from '../kernel/peer.ts';
import { PowerConditionsReader } from '../kernel/power-conditions.ts';
import { lastCpuOf, threadRole } from '../kernel/threads.ts';
import { type ConfigurableBudget, createBudget, createPolicy } from '../policy/index.ts';
import { Claims } from '../session/claims.ts';
import { Deadlines } from '../session/deadlines.ts';
import { Reports } from '../session/reports.ts';
import { Session } from '../session/session.ts';
import { Sessions } from '../session/sessions.ts';
import { Windows } from '../session/windows.ts';
import { Attribution } from '../slowpath/attribution.ts';
import type { Recorder } from '../slowpath/recorder.ts';
import { SlowpathStats } from '../slowpath/stats/slowpath-stats.ts';
import { Access } from './access.ts';
import { Conductor } from './conductor.ts';
import type { HostdConfig } from './config.ts';
import { EventStream } from './event-stream.ts';
import { Followed } from './followed.ts';
import { GuardLedger } from './guard-ledger.ts';
import { createHttpServer } from './http-server.ts';
import { listenOn } from './listen.ts';
import { Metrics } from './metrics.ts';
import { listenForMetrics } from './metrics-listener.ts';
import { createRoutes } from './routes.ts';
import { StateFile } from './state-file.ts';
import { Thrift } from './thrift.ts';
import { DaemonViews } from './views.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** What was learned is kept this often at least, as long as sessions come and go. */
const SAVE_EVERY_US = 15 * 60e6;

export interface DaemonOptions {
  /** Decide and report, write nothing. */
  dryRun?: boolean;
  log: (line: string) => void;
}

export interface Daemon {
  readonly socketPath: string;
  /** Takes a new configuration over without dropping leases; says what needs a restart. */
  reload(config: HostdConfig): void;
  /** Lets go of everything and restores all controls. */
  stop(reason: string): Promise<void>;
}

/**
 * Starts hostd: restores what a predecessor left, listens, and serves sessions until it is stopped.
 *
 * @throws PrewakeError PREWAKE_ALREADY_RUNNING, PREWAKE_LISTEN, PREWAKE_SOCKET_PATH
 */
export async function startDaemon(config: HostdConfig, options: DaemonOptions): Promise<Daemon> {
  const hostd = new Hostd(config, options);
  await hostd.start();
  return hostd;
}

class Hostd implements Daemon {
  #config: HostdConfig;
  readonly #options: DaemonOptions;
  readonly #now = monotonicMicros;
  readonly #startedAt = this.#now();
  readonly #sessions = new Sessions();
  readonly #events = new EventStream();
  readonly #deadlines = new Deadlines(this.#now);
  readonly #access: Access;
  readonly #budget: ConfigurableBudget;
  readonly #thrift: Thrift;
  #server: Server | undefined;
  #tcp: Server | undefined;
  #lock: FileLock | undefined;
  #guards!: MachineGuards;
  #recorder!: Recorder;
  #attribution!: Attribution;
  #windows!: Windows;
  #reports!: Reports;
  #conductor!: Conductor;
  #metrics!: Metrics;
  #state!: StateFile;
  #savedAt = this.#now();
  #followed!: Followed;
  #stopping = false;

  constructor(config: HostdConfig, options: DaemonOptions) {
    this.#config = config;
    this.#options = options;
    this.#access = new Access(config.adminGroup);
    this.#budget = createBudget(config.budget);
    const conditions = new PowerConditionsReader();
    this.#thrift = new Thrift({
      budget: this.#budget,
      parts: config.budget.parts,
      read: () => conditions.read(),
      now: this.#now,
    });
  }

  get socketPath(): string {
    return this.#config.socket;
  }

  async start(): Promise<void> {
    const config = this.#config;
    // The socket first: it is what tells a second hostd to stay away.
    const server = createHttpServer({
      request: (request, response, peer) => routes(request, response, peer),
      session: (stream, peer, client, accept) => this.#accept(stream, peer, client, accept),
    });
    const ledger = new GuardLedger(this.#events, this.#options.log, this.#now);
    this.#lock = await listenOn(server, config.socket);
    this.#server = server;
    this.#guards = await createGuardController({
      runtimeDir: config.runtimeDir,
      config: config.guards,
      dryRun: this.#options.dryRun ?? false,
    });
    this.#guards.onEvent = (event) => ledger.guardEvent(event);
    this.#recorder = openRecorder({ ringBytes: config.recorder.ringBytes });
    this.#recorder.onPressure = () => this.#reports.drain();
    const stats = new SlowpathStats();
    this.#attribution = new Attribution({
      isCovered: (cpu, at) => ledger.armed.isCovered(cpu, at),
      threadRole,
      stats,
    });
    const policy = createPolicy(config.policy, { random: Math.random });
    this.#state = new StateFile(config.stateDir, policy, this.#options.log);
    this.#state.load();
    this.#windows = new Windows({
      policy,
      claims: new Claims({
        budget: this.#budget,
        guards: this.#guards,
        now: this.#now,
        cpusOf: (tgid, tid) => this.#cpusOf(tgid, tid),
        idleLatencyUs: config.guards.idleLatencyUs,
      }),
      guards: this.#guards,
      deadlines: this.#deadlines,
      now: this.#now,
      activeWindowUs: config.policy.activeWindowMs * 1000,
    });
    this.#reports = new Reports({
      recorder: this.#recorder,
      attribution: this.#attribution,
      sessions: this.#sessions,
      deadlines: this.#deadlines,
      now: this.#now,
    });
    this.#metrics = new Metrics({
      sessions: () => this.#sessions.size,
      openWaits: () => this.#windows.openWaits,
      leases: () => this.#guards.leases().length,
      buckets: () => this.#budget.snapshot(this.#now()),
      armedSeconds: () => ledger.armedSeconds(),
      records: () => this.#reports.records,
      foreignWriters: () => ledger.foreignWriters,
    });
    this.#followed = new Followed({
      sessions: this.#sessions,
      recorder: this.#recorder,
      attribution: this.#attribution,
      deadlines: this.#deadlines,
      now: this.#now,
      detachAfterMs: config.recorder.detachAfterMs,
      log: this.#options.log,
      onQuiet: () => this.#save(),
    });
    this.#conductor = new Conductor({
      windows: this.#windows,
      attribution: this.#attribution,
      reports: this.#reports,
      events: this.#events,
      metrics: this.#metrics,
      thrift: this.#thrift,
      now: this.#now,
      onEnded: (session) => this.#ended(session),
    });
    this.#reports.onReport = (session, report) => {
      this.#metrics.reports.inc({ complete: String(report.complete) });
      this.#events.emit(() => ({ type: 'report', uid: session.peer.uid, session: session.id, report }));
    };
    this.#reports.onWakeupCost = (cost) => {
      policy.wakeupCost(cost);
      this.#events.emit(() => ({ type: 'wakeup', uid: this.#uidOf(cost.wait), ...cost }));
    };
    this.#windows.onEvent = (event) => this.#windowEvent(event);
    this.#budget.onChange = (change) => {
      this.#metrics.budgetChanges.inc({ scope: change.bucket.split(':')[0] ?? '', state: change.state });
      this.#events.emit(() => ({ type: 'budget', uid: -1, ...change }));
      this.#options.log(`budget ${change.bucket} ${change.state}`);
    };
    this.#thrift.onChange = (part, reasons) => {
      this.#events.emit(() => ({ type: 'thrift', uid: -1, part, reasons, at: this.#now() }));
      this.#options.log(
        `budgets refill at ${part * 100} %${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}`,
      );
    };
    const views = new DaemonViews({
      version,
      startedAt: this.#startedAt,
      now: this.#now,
      sessions: this.#sessions,
      guards: this.#guards,
      recorder: this.#recorder,
      attribution: this.#attribution,
      stats,
      policy,
      windows: this.#windows,
      reports: this.#reports,
      budget: this.#budget,
      thrift: this.#thrift,
      mode: () => this.#mode(),
      onPause: (paused, reason) => {
        this.#events.emit(() => ({ type: paused ? 'paused' : 'resumed', uid: -1, reason, at: this.#now() }));
        this.#options.log(paused ? `paused: ${reason || 'no reason given'}` : 'resumed');
      },
    });
    const routes = createRoutes({
      views,
      access: this.#access,
      events: this.#events,
      metrics: this.#metrics,
    });
    if (config.metrics.listen) this.#tcp = await listenForMetrics(config.metrics.listen, this.#metrics);
    this.#sayWhatItIs();
  }

  reload(config: HostdConfig): void {
    const old = this.#config;
    this.#budget.configure(config.budget, this.#now());
    this.#thrift.parts = config.budget.parts;
    const fixed = (
      ['socket', 'runtimeDir', 'stateDir', 'guards', 'policy', 'recorder', 'metrics'] as const
    ).filter((key) => JSON.stringify(config[key]) !== JSON.stringify(old[key]));
    this.#config = { ...old, budget: config.budget, sessions: config.sessions, logLevel: config.logLevel };
    this.#options.log(
      `configuration reloaded${fixed.length > 0 ? `; these need a restart: ${fixed.join(', ')}` : ''}`,
    );
  }

  async stop(reason: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#options.log(`stopping: ${reason}`);
    for (const session of [...this.#sessions])
      session.close('PREWAKE_SHUTTING_DOWN', 'hostd is shutting down');
    this.#deadlines.close();
    this.#events.close();
    this.#guards.close();
    this.#save();
    this.#recorder.close();
    this.#tcp?.close();
    this.#tcp?.closeAllConnections();
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    await closed;
    this.#lock?.release();
  }

  #accept(
    stream: Socket,
    peer: Peer,
    client: string,
    accept: (headers: Record<string, string>) => void,
  ): { status: number; error: PrewakeError } | undefined {
    const limits = this.#config.sessions;
    if (this.#stopping)
      return { status: 503, error: new PrewakeError('PREWAKE_SHUTTING_DOWN', 'hostd is shutting down') };
    if (this.#sessions.ofUser(peer.uid) >= limits.maxPerUser || this.#sessions.size >= limits.max) {
      const message = `user ${peer.uid} has ${this.#sessions.ofUser(peer.uid)} sessions of ${limits.maxPerUser}`;
      return { status: 429, error: new PrewakeError('PREWAKE_TOO_MANY_SESSIONS', message) };
    }
    const id = this.#sessions.nextId();
    accept({ [HEADER.hostd]: version, [HEADER.session]: id });
    const session = new Session({
      id,
      peer,
      cgroup: cgroupOf(peer.pid)?.path ?? '/',
      client,
      stream,
      handler: this.#conductor,
      limits,
      now: this.#now,
    });
    this.#sessions.add(session);
    this.#followed.started(session);
    session.send({
      type: 'welcome',
      session: id,
      version,
      mode: this.#mode(),
      recorder: this.#recorder.source,
      at: this.#now(),
    });
    this.#events.emit(() => ({
      type: 'session',
      uid: peer.uid,
      session: id,
      pid: peer.pid,
      client,
      at: this.#now(),
    }));
    return undefined;
  }

  #ended(session: Session): void {
    this.#sessions.remove(session);
    // The last session may never end: what was learned is kept now and then all the same.
    if (this.#now() - this.#savedAt > SAVE_EVERY_US) this.#save();
    if (!this.#stopping) this.#followed.ended(session);
  }

  #save(): void {
    this.#savedAt = this.#now();
    this.#state.save();
  }

  /** Home is read now: the recorder knows it as of its last drain only. */
  #cpusOf(tgid: number, tid: number): number[] {
    const home = lastCpuOf(tgid, tid);
    const { completion } = this.#recorder.lastCpu(tid);
    if (home < 0) return [];
    return completion >= 0 && completion !== home ? [home, completion] : [home];
  }

  #windowEvent(event: Parameters<NonNullable<Windows['onEvent']>>[0]): void {
    const wait = Number(event.wait.slice(event.session.length + 1));
    if (event.type === 'armed') {
      this.#attribution.windowOpened(event.session, wait, event.at * 1000);
      this.#metrics.armLateness.observe(Math.max(0, event.lateUs) / 1e6);
    } else if (event.type === 'released')
      this.#attribution.windowClosed(event.session, wait, event.at * 1000);
    else this.#metrics.refused.inc({ reason: event.grant.reason });
    this.#events.emit(() => ({ uid: this.#uidOf(event.wait), ...event }));
  }

  #uidOf(wait: string): number {
    return this.#sessions.get(wait.slice(0, wait.indexOf('/')))?.peer.uid ?? 0;
  }

  #mode(): 'arm' | 'observe' | 'paused' {
    if (this.#windows.paused) return 'paused';
    return this.#guards.mode === 'arm' ? 'arm' : 'observe';
  }

  #sayWhatItIs(): void {
    const { log } = this.#options;
    const chosen = this.#guards.availability.filter((guard) => guard.chosen).map((guard) => guard.guard);
    log(`hostd ${version} listens on ${this.#config.socket}`);
    log(
      this.#guards.mode === 'arm'
        ? `arms ${chosen.join(', ')}`
        : `observes only: ${this.#guards.reason ?? (this.#guards.mode === 'dry-run' ? 'dry run' : 'no guard is available')}`,
    );
    log(`records by ${this.#recorder.source}${this.#recorder.reason ? `: ${this.#recorder.reason}` : ''}`);
  }
}
