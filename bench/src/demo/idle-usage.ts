import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What the kernel itself counted of one idle state, summed over CPUs: seen from outside hostd. */
export interface IdleUsage {
  state: string;
  /** Times entered. */
  usage: number;
  /** Microseconds spent in it. */
  timeUs: number;
}

/** Reads cpuidle's usage counters; empty where the kernel has no cpuidle. */
export function readIdleUsage(root = '/sys/devices/system/cpu'): IdleUsage[] {
  const states = new Map<string, IdleUsage>();
  for (const cpu of existsSync(root) ? readdirSync(root).filter((name) => /^cpu\d+$/.test(name)) : []) {
    const dir = `${root}/${cpu}/cpuidle`;
    for (const state of existsSync(dir) ? readdirSync(dir) : []) {
      const read = (file: string) => readFileSync(`${dir}/${state}/${file}`, 'utf8').trim();
      const name = read('name');
      const total = states.get(name) ?? { state: name, usage: 0, timeUs: 0 };
      total.usage += Number(read('usage'));
      total.timeUs += Number(read('time'));
      states.set(name, total);
    }
  }
  return [...states.values()];
}

/** What was added between two readings. */
export function idleUsageSince(before: readonly IdleUsage[], after: readonly IdleUsage[]): IdleUsage[] {
  return after.map((now) => {
    const then = before.find(({ state }) => state === now.state);
    return {
      state: now.state,
      usage: now.usage - (then?.usage ?? 0),
      timeUs: now.timeUs - (then?.timeUs ?? 0),
    };
  });
}
