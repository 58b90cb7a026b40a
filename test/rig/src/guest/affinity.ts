import { runTool } from './tool.ts';

/** Moves a process to one CPU. */
export function setAffinity(pid: number, cpu: number): void {
  runTool('taskset', ['-pc', String(cpu), String(pid)]);
}
