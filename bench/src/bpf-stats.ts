import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { restoreOnSignal } from './on-signal.ts';

const SYSCTL = '/proc/sys/kernel/bpf_stats_enabled';

/** Time in BPF programs and how often they ran, while the kernel counts it. */
export interface ProgramRuns {
  ns: number;
  runs: number;
}

/** Has the kernel count BPF programs' runs meanwhile. What it read before is written back, also on SIGINT and SIGTERM. */
export async function withBpfStats<T>(run: () => Promise<T>): Promise<T> {
  const before = readFileSync(SYSCTL, 'utf8').trim();
  const restore = () => writeFileSync(SYSCTL, before);
  const done = restoreOnSignal(restore);
  try {
    writeFileSync(SYSCTL, '1');
    return await run();
  } finally {
    restore();
    done();
  }
}

/** Sums what the kernel counted of the programs that a process has open, each program once. */
export function programRuns(pid: number, root = '/'): ProgramRuns {
  const dir = `${root}proc/${pid}/fdinfo`;
  const seen = new Set<string>();
  let ns = 0;
  let runs = 0;
  for (const fd of readdirSync(dir)) {
    let text: string;
    try {
      text = readFileSync(`${dir}/${fd}`, 'utf8');
    } catch {
      continue; // Closed meanwhile.
    }
    const value = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1];
    const id = value('prog_id');
    const time = value('run_time_ns');
    if (id === undefined || time === undefined || seen.has(id)) continue;
    seen.add(id);
    ns += Number(time);
    runs += Number(value('run_cnt'));
  }
  return { ns, runs };
}

export const runsSince = (before: ProgramRuns, after: ProgramRuns): ProgramRuns => ({
  ns: after.ns - before.ns,
  runs: after.runs - before.runs,
});
