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
}

type Kind = keyof GuardConfig;

/** In order of preference. At most one of a kind is chosen. */
export const KINDS: Readonly<Record<Kind, readonly GuardId[]>> = {
  idle: ['idle.cpu', 'idle.global', 'idle.state'],
  frequency: ['frequency.preference', 'frequency.policy', 'frequency.task'],
  scheduler: ['scheduler.slice'],
  timer: ['timer.slack'],
  placement: ['placement'],
};

/** Kinds that are chosen only when the configuration names a guard, and why. */
const OFF_BY_DEFAULT: Partial<Record<Kind, string>> = {
  placement: 'off by default: it takes the scheduler a choice',
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
      const probed = guard.probe();
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
  const off = OFF_BY_DEFAULT[kind];
  if (off) return because(false, off);
  if (taken) return because(false, `${taken} comes first`);
  if (probed.discouraged) return because(false, probed.discouraged);
  return because(true, 'chosen for this machine');
}
