// What the guest's controls read, and a load that makes a CPU sleep and wake.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

export const CPU_DIR = '/sys/devices/system/cpu';

/** CLOCK_MONOTONIC in microseconds, the clock of leases. */
export function monotonicMicros(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

export function read(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

export function write(path: string, value: string): void {
  writeFileSync(path, value);
}

/** A file that nothing in the guest runs, but the host does. */
export function largeFile(): string {
  const folders = (process.env.PATH ?? '').split(':');
  const file = folders.map((folder) => join(folder, 'qemu-system-x86_64')).find((path) => existsSync(path));
  assert.ok(file !== undefined, 'QEMU is among the host\u2019s programs');
  return file;
}

/** How often each idle state of a CPU was entered so far, shallowest first. */
export function idleUsage(cpu: number): number[] {
  const folder = `${CPU_DIR}/cpu${cpu}/cpuidle`;
  return readdirSync(folder)
    .filter((name) => /^state\d+$/.test(name))
    .sort()
    .map((name) => Number(read(join(folder, name, 'usage'))));
}

/** Entries of each idle state while `during` lasts. */
export async function idleEntries(cpu: number, during: () => Promise<unknown>): Promise<number[]> {
  const before = idleUsage(cpu);
  await during();
  return idleUsage(cpu).map((usage, state) => usage - (before[state] ?? 0));
}

/** Keeps a CPU sleeping about `sleepMs` at a time until it is disposed of. */
export function sleeper(cpu: number, sleepMs = 3): Disposable {
  const child = spawn(
    'taskset',
    ['-c', String(cpu), 'perl', '-e', `select undef, undef, undef, ${sleepMs / 1000} while 1`],
    {
      stdio: 'ignore',
    },
  );
  return killer(child);
}

/** Keeps a CPU busy until it is disposed of. */
export function spinner(cpu: number): Disposable {
  return killer(spawn('taskset', ['-c', String(cpu), 'perl', '-e', '1 while 1'], { stdio: 'ignore' }));
}

function killer(child: ChildProcess): Disposable {
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

/** Holds the global latency limit, in microseconds, until it is disposed of. */
export function dmaLatency(us: number): Disposable {
  const fd = openSync('/dev/cpu_dma_latency', 'w');
  const value = Buffer.alloc(4);
  value.writeInt32LE(us);
  writeFileSync(fd, value);
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Until disposed of, a CPU's policy runs under the powersave governor, which always asks for the minimum: what the
 * driver writes then follows `scaling_min_freq` at once. schedutil may keep a high frequency for long.
 */
export async function lowestFrequency(cpu: number): Promise<Disposable> {
  const governor = `${CPU_DIR}/cpufreq/policy${cpu}/scaling_governor`;
  const original = read(governor);
  write(governor, 'powersave');
  await eventually(`CPU ${cpu} asks for its lowest frequency`, () => pstates(cpu).at(-1) === 3);
  return { [Symbol.dispose]: () => write(governor, original) };
}

const share = process.env.RIG_SHARE ?? '/run/rig';

/** How many bytes the driver has written to a CPU's P-state port since power-on. */
export function pstateCount(cpu: number): number {
  return statSync(join(share, `pstate-${cpu}.bin`)).size;
}

/** The P-states that the driver has asked for, as indexes (0 = 3.0 GHz … 3 = 1.2 GHz), from the `since`th on. */
export function pstates(cpu: number, since = 0): number[] {
  return [...readFileSync(join(share, `pstate-${cpu}.bin`))].slice(since).map((byte) => byte - 0x30);
}
