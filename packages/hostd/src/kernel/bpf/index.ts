import { existsSync, readFileSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import { parseCpuList } from '../cpus.ts';
import { IrqNames } from '../irq-names.ts';
import { Kallsyms } from '../kallsyms.ts';
import { NoRecorder } from '../no-recorder.ts';
import type { Recorder } from '../recorder.ts';
import { SchedstatRecorder } from '../schedstat-recorder.ts';
import { EventKind } from '../slice.ts';
import { BpfRecorder } from './bpf-recorder.ts';
import { FrequencyReader } from './frequency.ts';
import { objectPath } from './object-path.ts';
import { missingPrivilege } from './privilege.ts';
import { probe } from './probe.ts';

export interface RecorderOptions {
  /** Bytes of the ring: a power of two, at least a page. Default 8 MiB, some 40,000 slices. */
  ringBytes?: number;
  /** Below what /proc and /sys are read, with a trailing slash. Default `/`. */
  root?: string;
  /** The sources to try, best first. Default all of them. */
  sources?: readonly Recorder['source'][];
  /**
   * Which single events are written besides slices, each with its duration. Default block, io_uring and work;
   * faults and VFS calls can be many thousands a second.
   */
  events?: readonly EventKind[];
  /** BPF programs to do without, as if this kernel could not attach them. */
  withhold?: ReadonlySet<string>;
}

const DEFAULT_RING_BYTES = 8 * 1024 * 1024;

/**
 * Opens the best recorder that this machine and these privileges allow, detached: BPF, else the schedstat files, else
 * one that knows nothing. `reason` says why it is not the best.
 */
export function openRecorder(options: RecorderOptions = {}): Recorder {
  const sources = options.sources ?? ['bpf', 'schedstat', 'none'];
  const root = options.root ?? '/';
  let reason = 'switched off';
  if (sources.includes('bpf')) {
    try {
      return openBpf(root, options);
    } catch (error) {
      if (!(error instanceof PrewakeError)) throw error;
      reason = error.message;
    }
  }
  if (sources.includes('schedstat')) {
    if (SchedstatRecorder.available(root)) return new SchedstatRecorder(reason, root);
    reason += '; the kernel has no /proc/PID/schedstat (CONFIG_SCHED_INFO)';
  }
  return new NoRecorder(reason);
}

function possibleCpus(root: string): number {
  const list = `${root}sys/devices/system/cpu/possible`;
  return existsSync(list) ? parseCpuList(readFileSync(list, 'latin1').trim()).length : 1;
}

function openBpf(root: string, options: RecorderOptions): Recorder {
  const missing = missingPrivilege(root);
  if (missing) throw new PrewakeError('PREWAKE_BPF_PRIVILEGE', missing);
  const ringBytes = options.ringBytes ?? DEFAULT_RING_BYTES;
  const { withhold } = options;
  const frequencies = new FrequencyReader(root);
  const probed = probe({
    path: objectPath(),
    sizes: { ringBytes, cpus: possibleCpus(root) },
    frequencies,
    kprobes: existsSync(`${root}sys/bus/event_source/devices/kprobe/type`),
    ...(withhold ? { withhold } : {}),
  });
  return new BpfRecorder({
    probed,
    ringBytes,
    events: options.events ?? [EventKind.block, EventKind.ioUring, EventKind.work],
    kallsyms: new Kallsyms(root),
    irqNames: new IrqNames(root),
    frequencies,
  });
}
