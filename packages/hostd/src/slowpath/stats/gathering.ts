import { Group } from './group.ts';
import type { Dimension, StatsOwner, StatsStep } from './slowpath-stats.ts';

/** So many steps, or sources with a CPU each, gather before they are shared out. */
const MOST = 32;

/** Adds what has gathered to one of the groups that it is of. */
export type Share = (dimension: Dimension, user: number, of: string, sums: Group) => void;

/**
 * What has been told lately, split by what it came from: a value is added once, and reaches the several groups that it
 * is of together with many others.
 */
export class Gathering {
  readonly #share: Share;
  readonly #sources = new Map<StatsOwner, Group[]>();
  readonly #steps = new Map<StatsStep, { owner: StatsOwner; sums: Group }>();
  #count = 0;

  constructor(share: Share) {
    this.#share = share;
  }

  /** Of all that an owner's processes do on a CPU. */
  ofSource(owner: StatsOwner, cpu: number): Group {
    let sums = this.#sources.get(owner)?.[cpu];
    if (sums) return sums;
    this.#makeRoom();
    sums = new Group(owner.user, '');
    const cpus = this.#sources.get(owner);
    if (cpus) cpus[cpu] = sums;
    else {
      const first: Group[] = [];
      first[cpu] = sums;
      this.#sources.set(owner, first);
    }
    return sums;
  }

  /** Of what a step paid. */
  ofStep(step: StatsStep, owner: StatsOwner): Group {
    const known = this.#steps.get(step);
    if (known?.owner === owner) return known.sums;
    if (known) this.shareOut();
    else this.#makeRoom();
    const sums = new Group(owner.user, step.id);
    this.#steps.set(step, { owner, sums });
    return sums;
  }

  #makeRoom(): void {
    if (this.#count >= MOST) this.shareOut();
    this.#count++;
  }

  /** Before somebody asks. */
  shareOut(): void {
    const share = this.#share;
    // Only the CPUs that are there.
    for (const [{ user, session, cgroup }, cpus] of this.#sources)
      cpus.forEach((sums, cpu) => {
        share('host', user, '', sums);
        share('session', user, session, sums);
        share('cgroup', user, cgroup, sums);
        share('cpu', user, String(cpu), sums);
      });
    for (const [{ id, kind, key }, { owner, sums }] of this.#steps) {
      share('step', owner.user, id, sums);
      share('key', owner.user, key ? `${kind}:${key}` : kind, sums);
    }
    this.#sources.clear();
    this.#steps.clear();
    this.#count = 0;
  }
}
