import type { ControlFiles } from '../kernel/control-files.ts';
import { idleDriver, idleStates, idleUsage, trustedLatency } from '../kernel/cpuidle.ts';
import type { Effect, Judgement } from './guard.ts';

/**
 * The limit to ask for so that a CPU wakes within `latencyUs`: the limit itself, or 0 (poll) where no sleeping
 * state meets it. A CPU without idle states of its own is asked for the limit, and makes of it what it can.
 */
export function idleLimit(files: ControlFiles, cpu: number, latencyUs: number): number {
  const limit = Math.max(0, Math.floor(latencyUs));
  const latencies = sleepLatencies(files, cpu);
  const met = latencies.length === 0 || latencies.some((latency) => latency <= limit);
  return met ? limit : 0;
}

/** How long a CPU takes to leave its deepest idle state, microseconds; without any bound where it has none of its own. */
export function deepestLatency(files: ControlFiles, cpu: number): number {
  const latencies = sleepLatencies(files, cpu);
  return latencies.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...latencies);
}

/** Of each state in which a CPU sleeps. */
function sleepLatencies(files: ControlFiles, cpu: number): number[] {
  const driver = idleDriver(files)?.driver;
  return idleStates(files, cpu)
    .filter((state) => !state.polls)
    .map((state) => trustedLatency(driver, state));
}

/** Why idle limits do nothing on this machine, or undefined where they do. */
export function idleUnlimited(files: ControlFiles, cpus: readonly number[]): string | undefined {
  if (!idleDriver(files)) return 'no cpuidle driver: the idle loop ignores latency limits';
  if (!cpus.some((cpu) => idleStates(files, cpu).some((state) => !state.polls))) {
    return 'no CPU has an idle state besides polling';
  }
  return undefined;
}

/** Usage and time of each idle state, by name. */
export function idleEffect(files: ControlFiles, cpu: number): Effect {
  const effect: Record<string, number> = {};
  for (const state of idleUsage(files, cpu)) {
    effect[`${state.name}.usage`] = state.usage;
    effect[`${state.name}.time_us`] = state.timeUs;
  }
  return effect;
}

/** Which states were entered between two looks; a limit works if only the allowed ones were. */
export function judgeIdle(allowed: (name: string) => boolean, before: Effect, after: Effect): Judgement {
  const seen: string[] = [];
  let entries = 0;
  let forbidden = 0;
  for (const key of Object.keys(after)) {
    if (!key.endsWith('.usage')) continue;
    const name = key.slice(0, -'.usage'.length);
    const entered = (after[key] ?? 0) - (before[key] ?? 0);
    seen.push(`${name} ${entered}`);
    entries += entered;
    if (!allowed(name)) forbidden += entered;
  }
  // The state that the CPU was in when the limit came is counted when it is left: one entry is no offence.
  if (entries > 0) return { works: forbidden <= 1, seen: `entered ${seen.join(', ')}` };
  const why = seen.length > 0 ? 'nothing: busy, or in one state, all the time' : 'no known state';
  return { works: undefined, seen: `entered ${why}` };
}
