import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { programRuns } from './bpf-stats.ts';
import { hasPerformanceGovernor, holdPerformanceGovernor } from './governor.ts';
import { cpuSeconds, idleSeconds, residentMiB, switchCounter } from './process-facts.ts';
import { resumeLimits } from './resume-limits.ts';

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'prewake-proc-'))}/`;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(`${root}${path}`), { recursive: true });
  writeFileSync(`${root}${path}`, text);
}
const thread = (pid: number, tid: number, voluntary: number, involuntary: number) =>
  put(
    `proc/${pid}/task/${tid}/status`,
    `Name:\tx\nvoluntary_ctxt_switches:\t${voluntary}\nnonvoluntary_ctxt_switches:\t${involuntary}\n`,
  );

it('counts switches of all threads, those of new threads from zero', () => {
  thread(1, 1, 10, 1);
  thread(2, 2, 5, 0);
  const switches = switchCounter([1, 2], root);
  expect(switches()).toBe(0);
  thread(1, 1, 12, 2);
  thread(2, 3, 4, 0);
  expect(switches()).toBe(7);
});

it('reads memory, CPU time and idle time in their units', () => {
  put('proc/1/status', 'VmHWM:\t9999 kB\nVmRSS:\t2048 kB\n');
  put('proc/1/task/1/schedstat', '1500000000 3 4\n');
  put('proc/1/task/2/schedstat', '500000000 3 4\n');
  put('proc/stat', 'cpu  1 2 3 400 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n');
  expect(residentMiB(1, root)).toBe(2);
  expect(cpuSeconds(1, root)).toBe(2);
  expect(idleSeconds(root)).toBe(4.5);
});

it('sums BPF programs by id, however many descriptors they have', () => {
  const program = (id: number, ns: number, runs: number) =>
    `pos:\t0\nprog_type:\t26\nprog_id:\t${id}\nrun_time_ns:\t${ns}\nrun_cnt:\t${runs}\n`;
  put('proc/1/fdinfo/3', program(7, 1000, 10));
  put('proc/1/fdinfo/4', program(7, 1000, 10));
  put('proc/1/fdinfo/5', program(8, 500, 2));
  put('proc/1/fdinfo/6', 'pos:\t0\nlink_type:\ttracing\nprog_id:\t9\n');
  expect(programRuns(1, root)).toEqual({ ns: 1500, runs: 12 });
});

it('holds the performance governor and puts back what each policy had', () => {
  expect(hasPerformanceGovernor(root)).toBe(false);
  const file = (policy: number) => `sys/devices/system/cpu/cpufreq/policy${policy}/scaling_governor`;
  for (const [policy, governor] of ['powersave', 'schedutil'].entries()) {
    put(file(policy), `${governor}\n`);
    put(file(policy).replace('governor', 'available_governors'), 'performance powersave schedutil\n');
  }
  expect(hasPerformanceGovernor(root)).toBe(true);
  const read = () => [0, 1].map((policy) => readFileSync(`${root}${file(policy)}`, 'utf8').trim());
  const restore = holdPerformanceGovernor(root);
  expect(read()).toEqual(['performance', 'performance']);
  restore();
  expect(read()).toEqual(['powersave', 'schedutil']);
});

it('reads the limit of every CPU', () => {
  put('cpu0/power/pm_qos_resume_latency_us', '0\n');
  put('cpu1/power/pm_qos_resume_latency_us', 'n/a\n');
  put('cpuidle/current_driver', 'x\n');
  expect(resumeLimits(root)).toEqual(['0', 'n/a']);
});
