import { closeSync, openSync, readSync } from 'node:fs';

/** What an unprivileged process can know of itself; each undefined where the kernel does not say. */
export interface LocalSample {
  /** This thread's time on a CPU and its time runnable without one, nanoseconds (schedstat). */
  cpuNs: number | undefined;
  runqueueNs: number | undefined;
  /** Page faults and context switches of the whole process (getrusage). */
  minorFaults: number;
  majorFaults: number;
  voluntary: number;
  involuntary: number;
  /** Microseconds in which some task of the host was stalled (PSI). */
  psi: Partial<Record<Resource, number>>;
}

const RESOURCES = ['cpu', 'memory', 'io'] as const;
type Resource = (typeof RESOURCES)[number];

/**
 * Reads this thread's own figures: one line of schedstat, getrusage and three lines of PSI, about 5 µs together.
 * The files stay open; opened with the first sample, on the thread that they are about.
 */
export class LocalSource {
  readonly #buffer = Buffer.alloc(256);
  readonly #schedstat = open('/proc/thread-self/schedstat');
  readonly #psi = RESOURCES.map((resource) => [resource, open(`/proc/pressure/${resource}`)] as const);

  sample(): LocalSample {
    const [cpuNs, runqueueNs] = this.#read(this.#schedstat)?.split(' ') ?? [];
    const usage = process.resourceUsage();
    const psi: LocalSample['psi'] = {};
    for (const [resource, fd] of this.#psi) {
      const total = /some .*total=(\d+)/.exec(this.#read(fd) ?? '')?.[1];
      if (total !== undefined) psi[resource] = Number(total);
    }
    return {
      cpuNs: number(cpuNs),
      runqueueNs: number(runqueueNs),
      minorFaults: usage.minorPageFault,
      majorFaults: usage.majorPageFault,
      voluntary: usage.voluntaryContextSwitches,
      involuntary: usage.involuntaryContextSwitches,
      psi,
    };
  }

  close(): void {
    for (const fd of [this.#schedstat, ...this.#psi.map(([, psi]) => psi)])
      if (fd !== undefined) closeSync(fd);
  }

  #read(fd: number | undefined): string | undefined {
    if (fd === undefined) return undefined;
    try {
      return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      return undefined;
    }
  }
}

/** Close-on-exec is what Node does; a missing file is a kernel that does not say. */
function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

function number(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number.parseInt(text, 10);
  return Number.isNaN(value) ? undefined : value;
}

/** What happened between two samples. */
export function difference(from: LocalSample, to: LocalSample): LocalSample {
  return combine(from, to, (a, b) => Math.max(0, b - a));
}

export function sum(one: LocalSample, other: LocalSample): LocalSample {
  return combine(one, other, (a, b) => a + b);
}

/** Field by field; what one of both does not say stays unknown. */
function combine(one: LocalSample, other: LocalSample, of: (a: number, b: number) => number): LocalSample {
  const known = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : of(a, b);
  const psi: LocalSample['psi'] = {};
  for (const resource of RESOURCES) {
    const some = known(one.psi[resource], other.psi[resource]);
    if (some !== undefined) psi[resource] = some;
  }
  return {
    cpuNs: known(one.cpuNs, other.cpuNs),
    runqueueNs: known(one.runqueueNs, other.runqueueNs),
    minorFaults: of(one.minorFaults, other.minorFaults),
    majorFaults: of(one.majorFaults, other.majorFaults),
    voluntary: of(one.voluntary, other.voluntary),
    involuntary: of(one.involuntary, other.involuntary),
    psi,
  };
}
