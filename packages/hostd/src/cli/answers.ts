import type { Availability, LeaseInfo } from '../guards/guard.ts';
import type { CategorySource, Recorder } from '../kernel/recorder.ts';
import type { BucketState, ClassSummary } from '../policy/index.ts';
import type { StatsRow } from '../slowpath/stats/slowpath-stats.ts';

/** What hostd's endpoints answer. docs/protocol.md describes each field. */
export interface StatusAnswer {
  version: string;
  pid: number;
  uptimeS: number;
  mode: 'arm' | 'observe' | 'paused';
  /** Why it does not arm: the reason of the pause, where one was given, or what is lacking. */
  modeReason?: string;
  paused: boolean;
  /** The part of its refill that the budget has now, 0–1, and why it is less than all of it. */
  thrift: { part: number; reasons: string[] };
  guardianPid?: number;
  recorder: { source: Recorder['source']; reason?: string; attached: boolean; records: number; lost: number };
  sessions: number;
  openWaits: number;
  leases: number;
}

export interface CapabilitiesAnswer {
  guards: Availability[];
  categories: CategorySource[];
  recorder: { source: Recorder['source']; reason?: string };
}

export interface SessionAnswer {
  id: string;
  pid: number;
  uid: number;
  cgroup: string;
  client?: string;
  /** Microseconds of CLOCK_MONOTONIC. */
  startedAt: number;
  openSteps: number;
  openWaits: number;
  steps: number;
  waits: number;
  frames: number;
  errors: number;
}

export interface SessionsAnswer {
  sessions: SessionAnswer[];
}

export interface LeasesAnswer {
  leases: LeaseInfo[];
}

export interface BudgetsAnswer {
  buckets: BucketState[];
}

export interface StatsAnswer {
  stats: StatsRow[];
}

export interface ClassesAnswer {
  classes: ClassSummary[];
}
