import type { ControlFiles } from './control-files.ts';

const CPU = 'sys/devices/system/cpu';

/** One idle state of one CPU. Times in microseconds, as the kernel gives them. */
export interface IdleState {
  index: number;
  name: string;
  latencyUs: number;
  /** The state that polls instead of sleeping. */
  polls: boolean;
  disabled: boolean;
}

export interface IdleUsage {
  index: number;
  name: string;
  usage: number;
  timeUs: number;
}

/** The cpuidle driver and governor; undefined where the kernel has no cpuidle. */
export function idleDriver(files: ControlFiles): { driver: string; governor: string } | undefined {
  const driver = files.peek(`${CPU}/cpuidle/current_driver`);
  if (driver === undefined || driver === '' || driver === 'none') return undefined;
  const governor =
    files.peek(`${CPU}/cpuidle/current_governor`) ??
    files.peek(`${CPU}/cpuidle/current_governor_ro`) ??
    'none';
  return { driver, governor };
}

export function idleStates(files: ControlFiles, cpu: number): IdleState[] {
  const states: IdleState[] = [];
  for (const entry of files.list(`${CPU}/cpu${cpu}/cpuidle`)) {
    const match = /^state(\d+)$/.exec(entry);
    if (!match) continue;
    const dir = `${CPU}/cpu${cpu}/cpuidle/${entry}`;
    const latencyUs = files.peekNumber(`${dir}/latency`);
    if (latencyUs === undefined) continue;
    const name = files.peek(`${dir}/name`) ?? entry;
    states.push({
      index: Number(match[1]),
      name,
      latencyUs,
      polls: name === 'POLL',
      disabled: files.peek(`${dir}/disable`) === '1',
    });
  }
  return states.sort((a, b) => a.index - b.index);
}

/** How often and how long a CPU was in each idle state. The counters move when a state is left, not entered. */
export function idleUsage(files: ControlFiles, cpu: number): IdleUsage[] {
  return idleStates(files, cpu).map(({ index, name }) => ({
    index,
    name,
    usage: files.peekNumber(`${CPU}/cpu${cpu}/cpuidle/state${index}/usage`) ?? 0,
    timeUs: files.peekNumber(`${CPU}/cpu${cpu}/cpuidle/state${index}/time`) ?? 0,
  }));
}

/**
 * The exit latency that a state really has, as far as the kernel knows it. haltpoll's only sleeping state gives
 * the CPU to the hypervisor, and the 1 µs in its table says nothing about when it comes back.
 */
export function trustedLatency(driver: string | undefined, state: IdleState): number {
  return driver === 'haltpoll' && !state.polls ? Number.POSITIVE_INFINITY : state.latencyUs;
}
