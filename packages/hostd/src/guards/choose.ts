import type { GuardSet } from './build-guards.ts';
import type { Availability, Guard, GuardId } from './guard.ts';

/** A kind of guard in the configuration: `auto` picks by machine, `off` never arms, or a guard by its id. */
export type GuardChoice = 'auto' | 'off' | GuardId;

export interface GuardConfig {
  idle?: GuardChoice;
  frequency?: GuardChoice;
  scheduler?: GuardChoice;
  timer?: GuardChoice;
  placement?: GuardChoice;
  /** Part of a CPU's highest frequency that a frequency guard asks for, 0–1; default 0.5, as half of capacity. */
  capacity?: number;
  /** CPUs that may be armed; default all. */
  cpus?: readonly number[] | 'all';
  /** Factor on what an armed millisecond costs, by guard; default 1. */
  weights?: Readonly<Record<string, number>>;
}

type Kind = Exclude<keyof GuardConfig, 'capacity' | 'cpus' | 'weights'>;

/** In order of preference. At most one of a kind is chosen. */
export const KINDS: Readonly<Record<Kind, readonly GuardId[]>> = {
  idle: ['idle.cpu', 'idle.global', 'idle.state'],
  frequency: ['frequency.preference', 'frequency.policy', 'frequency.task'],
  scheduler: ['scheduler.slice'],
  timer: ['timer.slack'],
  placement: ['placement'],
};

export interface Choice {
  availability: Availability[];
  chosen: Guard[];
}

/** Picks at most one guard of each kind, and says why for each guard, chosen or not. */
export function chooseGuards(guards: GuardSet, config: GuardConfig = {}): Choice {
  const availability: Availability[] = [];
  const chosen: Guard[] = [];
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const choice = config[kind] ?? 'auto';
    let taken: GuardId | undefined;
    for (const id of KINDS[kind]) {
      const guard = guards.get(id);
      if (!guard) continue;
      const probed = probe(guard);
      const verdict = judge(kind, choice, probed, taken);
      if (verdict.chosen) {
        taken = id;
        chosen.push(guard);
      }
      availability.push(verdict);
    }
  }
  return { availability, chosen };
}

/** A probe that fails says why not. */
function probe(guard: Guard): Availability {
  try {
    return guard.probe();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { guard: guard.id, available: false, chosen: false, reason };
  }
}

function judge(
  kind: Kind,
  choice: GuardChoice,
  probed: Availability,
  taken: GuardId | undefined,
): Availability {
  const because = (chosen: boolean, why: string): Availability => ({
    ...probed,
    chosen,
    reason: `${probed.reason}; ${why}`,
  });
  if (!probed.available) return probed;
  if (choice === 'off') return because(false, `${kind} guards are off in the configuration`);
  if (choice !== 'auto') {
    return choice === probed.guard
      ? because(true, 'named in the configuration')
      : because(false, `the configuration names ${choice}`);
  }
  if (taken) return because(false, `${taken} comes first`);
  if (probed.discouraged) return because(false, probed.discouraged);
  return because(true, 'chosen for this machine');
}
