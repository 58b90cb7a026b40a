import type { Micros } from '@prewake/sdk/protocol';
import type { Parts } from './parts.ts';
import type { Views } from './routes.ts';

/** What can be looked at. */
export interface DaemonParts extends Parts {
  version: string;
  startedAt: Micros;
  mode: () => string;
  /** Why it does not arm, where it does not. */
  modeReason: () => string | undefined;
  onPause: (paused: boolean, reason: string) => void;
}

/** What the endpoints show: read when asked, kept nowhere. */
export class DaemonViews implements Views {
  readonly #parts: DaemonParts;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
  }

  status(): object {
    const { version, startedAt, now, sessions, guards, recorder, attribution, windows, reports } =
      this.#parts;
    return {
      version,
      pid: process.pid,
      uptimeS: (now() - startedAt) / 1e6,
      mode: this.#parts.mode(),
      modeReason: this.#parts.modeReason(),
      paused: windows.paused,
      thrift: this.#parts.thrift.state,
      guardianPid: guards.guardianPid,
      recorder: {
        source: recorder.source,
        reason: recorder.reason,
        attached: recorder.attached,
        records: reports.records.read,
        lost: reports.records.lost,
      },
      sessions: sessions.size,
      openWaits: windows.openWaits,
      leases: guards.leases().length,
      attribution: attribution.load(),
    };
  }

  capabilities(): object {
    const { guards, recorder } = this.#parts;
    return {
      guards: guards.availability,
      categories: recorder.categories,
      recorder: { source: recorder.source, reason: recorder.reason },
    };
  }

  sessions(uid: number | undefined): object[] {
    const shown = [];
    for (const session of this.#parts.sessions) {
      if (uid !== undefined && session.peer.uid !== uid) continue;
      shown.push({
        id: session.id,
        pid: session.peer.pid,
        uid: session.peer.uid,
        cgroup: session.payer.cgroup,
        client: session.client,
        startedAt: session.startedAt,
        openSteps: session.openSteps.size,
        openWaits: session.openWaits.size,
        ...session.counters,
      });
    }
    return shown;
  }

  leases(uid: number | undefined): object[] {
    const { guards, sessions } = this.#parts;
    return guards
      .leases()
      .filter((lease) => uid === undefined || sessions.get(lease.owner)?.peer.uid === uid);
  }

  budgets(uid: number | undefined): object[] {
    const { budget, sessions, now } = this.#parts;
    const cgroups = new Set<string>();
    for (const session of sessions)
      if (session.peer.uid === uid) cgroups.add(`cgroup:${session.payer.cgroup}`);
    return budget
      .snapshot(now())
      .filter(
        ({ bucket }) =>
          uid === undefined || bucket === 'host' || bucket === `user:${uid}` || cgroups.has(bucket),
      );
  }

  stats(query: URLSearchParams, uid: number | undefined): object {
    this.#parts.reports.drain();
    return {
      stats: this.#parts.stats.query({
        category: query.get('category') ?? undefined,
        by: query.get('by') ?? undefined,
        user: uid,
      }),
    };
  }

  classes(uid: number): object[] {
    return this.#parts.policy.classes(uid);
  }

  pause(reason: string): void {
    this.#parts.windows.pause();
    this.#parts.onPause(true, reason);
  }

  resume(): void {
    this.#parts.windows.resume();
    this.#parts.onPause(false, '');
  }
}
