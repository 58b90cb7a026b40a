import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostdProcess } from './hostd-process.ts';

/** Something that looks at wakeups while the loop runs. */
export interface Observer {
  /** hostd's socket, or `-`. */
  socket: string;
  /** Whose BPF programs and CPU time are its own; undefined where nothing runs. */
  pid: number | undefined;
  stop(): Promise<void>;
}

export const OBSERVERS = ['none', 'Prewake', 'bpftrace', 'perf sched record'] as const;
export type ObserverName = (typeof OBSERVERS)[number];

/** From waking to running, and the time in idle states: two histograms, as runqlat and cpuidle tools keep them. */
const SCRIPT = `
tracepoint:sched:sched_waking { @waking[args->pid] = nsecs; }
tracepoint:sched:sched_switch {
  if (@waking[args->next_pid]) {
    @wakeup_to_run_us = hist((nsecs - @waking[args->next_pid]) / 1000);
    delete(@waking[args->next_pid]);
  }
}
tracepoint:power:cpu_idle {
  if (args->state == 4294967295) {
    if (@entered[cpu]) { @idle_us = hist((nsecs - @entered[cpu]) / 1000); }
    delete(@entered[cpu]);
  } else { @entered[cpu] = nsecs; }
}`;

/** In a mount namespace of its own a tool finds tracefs where nothing has mounted it, and the machine stays as it is. */
const WITH_TRACEFS =
  '{ mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing; } && exec "$0" "$@"';

/** A tool that runs until SIGINT. */
async function tool(command: string, args: string[], done = () => {}): Promise<Observer> {
  const child = spawn('unshare', ['-m', 'sh', '-c', WITH_TRACEFS, command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const errors: string[] = [];
  child.stderr.on('data', (chunk) => errors.push(String(chunk)));
  const ended = once(child, 'close');
  const failed = ended.then(([code]) => {
    throw new Error(`${command} ended with ${code}: ${errors.join('').trim()}`);
  });
  // Both say when they have attached, each in its own way and neither reliably.
  await Promise.race([sleep(3000), failed, once(child, 'error').then(([error]) => Promise.reject(error))]);
  failed.catch(() => {});
  return {
    socket: '-',
    pid: child.pid,
    async stop() {
      child.kill('SIGINT');
      const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended.catch(() => {});
      clearTimeout(kill);
      done();
    },
  };
}

/** @param hostd the one of all rounds: a daemon is started once, and rests while others observe */
export async function observe(name: ObserverName, hostd: HostdProcess): Promise<Observer> {
  if (name === 'none') return { socket: '-', pid: undefined, stop: async () => {} };
  if (name === 'Prewake') return { socket: hostd.socket, pid: hostd.pid, stop: () => detached(hostd) };
  if (name === 'bpftrace') return tool('bpftrace', ['-e', SCRIPT]);
  const dir = mkdtempSync(join(tmpdir(), 'prewake-perf-'));
  return tool('perf', ['sched', 'record', '-o', join(dir, 'perf.data')], () =>
    rmSync(dir, { recursive: true, force: true }),
  );
}

/** A hostd that records through BPF and writes no control. */
export async function recordingHostd(): Promise<HostdProcess> {
  const hostd = await HostdProcess.start('recorder: { detachAfterMs: 1000 }\n', ['--dry-run']);
  const { recorder } = await hostd.get<{ recorder: { source: string; reason?: string } }>('/v1/status');
  if (recorder.source === 'bpf') return hostd;
  await hostd.stop();
  throw new Error(`no BPF recorder on this machine: ${recorder.reason}`);
}

/** Returns once hostd records nothing any more: its last session has gone. */
async function detached(hostd: HostdProcess): Promise<void> {
  const deadline = performance.now() + 15_000;
  const attached = async () =>
    (await hostd.get<{ recorder: { attached: boolean } }>('/v1/status')).recorder.attached;
  while (await attached()) {
    if (performance.now() > deadline) throw new Error('the recorder did not detach after its session');
    await sleep(200);
  }
}
