import { closeSync, openSync, readSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const clockGettime = libc.func('int clock_gettime(int clock, _Out_ int64_t *time)');
const getrusage = libc.func('int getrusage(int who, _Out_ int64_t *usage)');
const CLOCK_THREAD_CPUTIME_ID = 3;
const RUSAGE_THREAD = 1;

/** What this thread has had so far, by the kernel's own accounts and without Prewake. */
export interface Account {
  at: number;
  cpuNs: number;
  queueNs: number;
  minorFaults: number;
  majorFaults: number;
}

const time = new BigInt64Array(2);
const usage = new BigInt64Array(18);
const text = Buffer.alloc(128);
const schedstat = openSync('/proc/thread-self/schedstat', 'r');
process.on('exit', () => closeSync(schedstat));

/** CLOCK_MONOTONIC, nanoseconds. */
export const now = () => Number(process.hrtime.bigint());

/** How often the calling thread has left its CPU by its own will: ru_nvcsw of getrusage(2). */
export function timesSlept(): number {
  getrusage(RUSAGE_THREAD, usage);
  return Number(usage[16]);
}

/** Of the calling thread, which has to be the main one. */
export function account(): Account {
  const length = readSync(schedstat, text, 0, text.length, 0);
  const queueNs = Number(text.toString('latin1', 0, length).split(' ')[1]);
  clockGettime(CLOCK_THREAD_CPUTIME_ID, time);
  getrusage(RUSAGE_THREAD, usage);
  return {
    at: now(),
    cpuNs: Number(time[0]) * 1e9 + Number(time[1]),
    queueNs,
    // struct rusage: two timevals, then ru_maxrss, ixrss, idrss, isrss, minflt, majflt.
    minorFaults: Number(usage[8]),
    majorFaults: Number(usage[9]),
  };
}
