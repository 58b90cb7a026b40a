import koffi from 'koffi';
import { checked } from './libc.ts';

const CLOCK_MONOTONIC = 1;
const TIMER_ABSTIME = 1;
const SIGALRM = 14;
/** struct sigevent of <signal.h>: value, signo, notify (0: a signal), padding. */
const SIGEVENT_BYTES = 64;

interface Timers {
  timer_create(clock: number, event: Buffer, timer: BigInt64Array): number;
  timer_settime(timer: bigint, flags: number, wanted: Uint32Array, before: null): number;
  timer_delete(timer: bigint): number;
}

let loaded: Timers | undefined;

/**
 * A timer of the kernel's high-resolution kind for one absolute time. Node's own count milliseconds, and what it
 * sleeps is late by another 0.1 % of its length: half a millisecond of a window that opens one before its wakeup.
 * timer_create(2) sends a signal, for which libuv wakes the event loop. While it is not set it costs nothing.
 */
export class Alarm {
  readonly #timer: bigint;
  readonly #onSignal: () => void;
  /**
   * struct itimerspec: interval (none) and value, each as seconds and nanoseconds of 64 bits, the low half first. Halves,
   * for a BigInt would be garbage with each setting.
   */
  readonly #wanted = new Uint32Array(8);

  /**
   * @param fire called at the time that was set, or, as SIGALRM may come from anybody, at another: it is to look
   * @throws PrewakeError PREWAKE_SYSCALL_FAILED; TypeError where libc has no timer_create (glibc before 2.34)
   */
  constructor(fire: () => void) {
    const event = Buffer.alloc(SIGEVENT_BYTES);
    event.writeInt32LE(SIGALRM, 8);
    const id = new BigInt64Array(1);
    checked(timers().timer_create(CLOCK_MONOTONIC, event, id), 'timer_create');
    this.#timer = id[0] as bigint;
    this.#onSignal = fire;
    process.on('SIGALRM', fire);
  }

  /** @param due CLOCK_MONOTONIC, microseconds; a time that is over fires at once */
  set(due: number): void {
    // A value of zero would clear it.
    const ns = Math.max(1, Math.round(due * 1000));
    this.#wanted[4] = Math.floor(ns / 1e9);
    this.#wanted[6] = ns % 1e9;
    checked(timers().timer_settime(this.#timer, TIMER_ABSTIME, this.#wanted, null), 'timer_settime');
  }

  clear(): void {
    this.#wanted.fill(0);
    timers().timer_settime(this.#timer, 0, this.#wanted, null);
  }

  close(): void {
    timers().timer_delete(this.#timer);
    process.off('SIGALRM', this.#onSignal);
  }
}

function timers(): Timers {
  if (loaded) return loaded;
  const self = koffi.load(null);
  loaded = {
    timer_create: self.func('int timer_create(int, void *, _Out_ int64_t *)'),
    timer_settime: self.func('int timer_settime(int64_t, int, void *, void *)'),
    timer_delete: self.func('int timer_delete(int64_t)'),
  };
  return loaded;
}
