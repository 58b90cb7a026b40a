import { spawnSync } from 'node:child_process';

/** Moves a process to one CPU. */
export function setAffinity(pid: number, cpu: number): void {
  const { status, stderr } = spawnSync('taskset', ['-pc', String(cpu), String(pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
}
