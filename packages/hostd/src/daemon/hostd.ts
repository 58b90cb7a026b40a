import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import { HEADER, PrewakeError } from '@prewake/sdk/protocol';
import { cgroupOf } from '../kernel/cgroup.ts';
import type { Peer } from '../kernel/peer.ts';
import { Session, type SessionConnect } from '../session/session.ts';
import { Access } from './access.ts';
import type { HostdConfig } from './config.ts';
import type { Daemon } from './daemon.ts';
import { EVERYONE } from './event-stream.ts';
import { guardConfig } from './guard-config.ts';
import { createHttpServer } from './http-server.ts';
import type { ClaimedSocket } from './listen.ts';
import type { Log } from './log.ts';
import { listenForMetrics } from './metrics-listener.ts';
import type { Parts } from './parts.ts';
import { PauseFile } from './pause-file.ts';
import { createRoutes } from './routes.ts';
import { DaemonViews } from './views.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** What a reload takes over at once; a change of anything else needs a restart. */
const RELOADED = ['budget', 'guards', 'sessions', 'logLevel', 'adminGroup'] as const;

/** hostd as it runs: what connects, what is asked of it, and its end. */
export class Hostd implements Daemon {
  #config: HostdConfig;
  readonly #log: Log;
  readonly #parts: Parts;
  readonly #claimed: ClaimedSocket;
  readonly #startedAt: number;
  readonly #pauseFile: PauseFile;
  /** Empty where none was given. */
  #pauseReason = '';
  #servers: Server[] = [];
  #stopping = false;

  constructor(config: HostdConfig, log: Log, claimed: ClaimedSocket, parts: Parts) {
    this.#config = config;
    this.#log = log;
    this.#claimed = claimed;
    this.#parts = parts;
    this.#startedAt = parts.now();
    this.#pauseFile = new PauseFile(config, log);
  }

  get socketPath(): string {
    return this.#config.socket;
  }

  async listen(): Promise<void> {
    const { events, metrics, now, windows } = this.#parts;
    const paused = this.#pauseFile.read();
    if (paused !== undefined) {
      this.#pauseReason = paused;
      windows.pause();
    }
    const views = new DaemonViews({
      ...this.#parts,
      version,
      startedAt: this.#startedAt,
      mode: () => this.#mode(),
      modeReason: () => this.#modeReason(),
      onPause: (paused, reason) => {
        this.#pauseReason = reason;
        if (paused) this.#pauseFile.write(reason);
        else this.#pauseFile.remove();
        events.emit(() => ({ type: paused ? 'paused' : 'resumed', uid: EVERYONE, reason, at: now() }));
        this.#log(paused ? `paused: ${reason || 'no reason given'}` : 'resumed');
      },
    });
    const access = new Access(() => this.#config.adminGroup);
    const server = createHttpServer({
      request: createRoutes({ views, access, events, metrics }),
      session: (peer, client, accept) => this.#accept(peer, client, accept),
    });
    const { listen } = this.#config.metrics;
    if (listen) this.#servers.push(await listenForMetrics(listen, metrics));
    await this.#claimed.listen(server);
    this.#servers.push(server);
    this.#sayWhatItIs();
  }

  reload(config: HostdConfig): void {
    const { budget, claims, guards, now, thrift, windows } = this.#parts;
    budget.configure(config.budget, now());
    thrift.parts = config.budget.parts;
    claims.idleLatencyUs = config.guards.idleLatencyUs;
    const armable = guards.configure(guardConfig(config));
    windows.lookAgain();
    const reloaded = Object.fromEntries(RELOADED.map((key) => [key, config[key]]));
    const next = { ...this.#config, ...reloaded };
    const fixed = (Object.keys(config) as (keyof HostdConfig)[]).filter(
      (key) => key !== 'file' && JSON.stringify(config[key]) !== JSON.stringify(next[key]),
    );
    if (!armable) fixed.push('guards');
    this.#config = next;
    this.#log(
      `configuration reloaded${fixed.length > 0 ? `; these need a restart: ${fixed.join(', ')}` : ''}`,
    );
  }

  async stop(reason: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log(`stopping: ${reason}`);
    const { deadlines, events, guards, recorder, sessions, state } = this.#parts;
    for (const session of [...sessions]) session.close('PREWAKE_SHUTTING_DOWN', 'hostd is shutting down');
    deadlines.close();
    events.close();
    guards.close();
    recorder.close();
    state.save();
    await Promise.all(
      this.#servers.map((server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        return closed;
      }),
    );
    this.#claimed.release();
  }

  sessionEnded(session: Session): void {
    const { followed, sessions } = this.#parts;
    sessions.remove(session);
    if (!this.#stopping) followed.ended(session);
  }

  #accept(
    peer: Peer,
    client: string,
    accept: (headers: Record<string, string>) => SessionConnect,
  ): { status: number; error: PrewakeError } | undefined {
    const { conductor, events, followed, now, recorder, sessions } = this.#parts;
    const limits = this.#config.sessions;
    if (this.#stopping)
      return { status: 503, error: new PrewakeError('PREWAKE_SHUTTING_DOWN', 'hostd is shutting down') };
    const own = sessions.ofUser(peer.uid);
    if (own >= limits.maxPerUser || sessions.size >= limits.max) {
      const message =
        own >= limits.maxPerUser
          ? `user ${peer.uid} has ${own} sessions of at most ${limits.maxPerUser}`
          : `hostd has ${sessions.size} sessions of at most ${limits.max}`;
      return { status: 429, error: new PrewakeError('PREWAKE_TOO_MANY_SESSIONS', message) };
    }
    const id = sessions.nextId();
    const session = new Session({
      ...{ id, peer, client, limits, now },
      connect: accept({ [HEADER.hostd]: version, [HEADER.session]: id }),
      cgroup: cgroupOf(peer.pid)?.path ?? '/',
      handler: conductor,
    });
    sessions.add(session);
    followed.started(session);
    session.send({
      type: 'welcome',
      session: id,
      version,
      mode: this.#mode(),
      recorder: recorder.source,
      at: now(),
    });
    events.emit(() => ({ type: 'session', uid: peer.uid, session: id, pid: peer.pid, client, at: now() }));
    return undefined;
  }

  #mode(): 'arm' | 'observe' | 'paused' {
    const { guards, windows } = this.#parts;
    if (windows.paused) return 'paused';
    return guards.mode === 'arm' ? 'arm' : 'observe';
  }

  /** Why it does not arm, where it does not. */
  #modeReason(): string | undefined {
    const { guards, windows } = this.#parts;
    if (windows.paused) return this.#pauseReason || undefined;
    return guards.reason ?? (guards.mode === 'dry-run' ? 'dry run' : undefined);
  }

  #sayWhatItIs(): void {
    const { guards, recorder, windows } = this.#parts;
    const chosen = guards.availability.filter((guard) => guard.chosen).map((guard) => guard.guard);
    this.#log(`hostd ${version} listens on ${this.#config.socket}`);
    if (windows.paused) this.#log(`is still paused: ${this.#pauseReason || 'no reason given'}`);
    else
      this.#log(guards.mode === 'arm' ? `arms ${chosen.join(', ')}` : `observes only: ${this.#modeReason()}`);
    this.#log(`records by ${recorder.source}${recorder.reason ? `: ${recorder.reason}` : ''}`);
  }
}
