import { Group } from './group.ts';
import type { Dimension, StatsOwner, StatsStep } from './slowpath-stats.ts';

/** So many sums gather before they are shared out. */
const MOST = 32;
/** In the place of a CPU: sums of what a step paid, which are part of another's sums by CPU. */
export const NO_CPU = -1;

/** Adds what has gathered to one of the groups that it is of. */
export type Share = (dimension: Dimension, user: number, of: string, sums: Group) => void;

/** The sums of what came from the same: an owner's processes on a CPU, a step, or a step on a CPU. */
interface Source {
  owner: StatsOwner;
  cpu: number;
  step: StatsStep | undefined;
  readonly sums: Group;
}

/**
 * What has been told lately, split by what it came from: a value is added once, and reaches the several groups that it
 * is of together with many others.
 */
export class Gathering {
  readonly #share: Share;
  /** The first `#count` are in use: the others wait to be used again. */
  readonly #sources: Source[] = [];
  #count = 0;
  /** The one that was asked for last: nearly always the next one, too. */
  #last: Source | undefined;

  constructor(share: Share) {
    this.#share = share;
  }

  /** @param cpu counted by CPU, session, cgroup and for the host, unless {@link NO_CPU} @param step counted by step and key */
  of(owner: StatsOwner, cpu: number, step: StatsStep | undefined): Group {
    const last = this.#last;
    if (last?.step === step && last?.cpu === cpu && last?.owner === owner) return last.sums;
    this.#last = this.#find(owner, cpu, step) ?? this.#begin(owner, cpu, step);
    return this.#last.sums;
  }

  #find(owner: StatsOwner, cpu: number, step: StatsStep | undefined): Source | undefined {
    for (let i = 0; i < this.#count; i++) {
      const source = this.#sources[i] as Source;
      if (source.step === step && source.cpu === cpu && source.owner === owner) return source;
    }
    return undefined;
  }

  #begin(owner: StatsOwner, cpu: number, step: StatsStep | undefined): Source {
    if (this.#count >= MOST) this.shareOut();
    const free = this.#sources[this.#count++];
    if (free) return Object.assign(free, { owner, cpu, step });
    const source = { owner, cpu, step, sums: new Group(-1, '') };
    this.#sources.push(source);
    return source;
  }

  /** Before somebody asks. */
  shareOut(): void {
    for (let i = 0; i < this.#count; i++) {
      const { owner, cpu, step, sums } = this.#sources[i] as Source;
      const { user, session, cgroup } = owner;
      if (cpu !== NO_CPU) {
        this.#share('host', user, '', sums);
        this.#share('session', user, session, sums);
        this.#share('cgroup', user, cgroup, sums);
        this.#share('cpu', user, String(cpu), sums);
      }
      if (step) {
        this.#share('step', user, step.id, sums);
        this.#share('key', user, step.key ? `${step.kind}:${step.key}` : step.kind, sums);
      }
      sums.clear();
    }
    this.#count = 0;
    this.#last = undefined;
  }
}
