import koffi from 'koffi';
import { affinityMask } from './affinity.ts';
import { checked, errnoNamed, libc, syscallFailed } from './libc.ts';

/**
 * A real-time signal that neither Node nor libuv uses. Its number is also how many microseconds a kicked thread sleeps:
 * the handler is usleep(3), and a handler's argument is its signal.
 */
const SIGNAL = 50;
/** Room for a sem_t of any 64-bit Linux libc, bytes. */
const SEM_BYTES = 64;

interface Pthreads {
  pthread_create(thread: BigUint64Array, attributes: null, start: bigint, argument: unknown): number;
  pthread_setaffinity_np(thread: bigint, size: number, mask: Buffer): number;
  pthread_kill(thread: bigint, signal: number): number;
  pthread_join(thread: bigint, result: null): number;
  sem_init(semaphore: unknown, shared: number, value: number): number;
  sem_post(semaphore: unknown): number;
  readonly sem_wait: bigint;
}

interface Sleeper {
  thread: bigint;
  /** A semaphore in C's memory, for V8 moves its own: the thread ends once it is posted. */
  end: unknown;
}

let loaded: Pthreads | undefined;

/**
 * Makes a CPU that sleeps go through its idle loop anew, so that it sees a new limit: a thread that is pinned to it
 * is woken, sleeps for some 50 µs, is woken by that timer, and sleeps again.
 *
 * An interrupt alone is not enough. A CPU that idles has stopped its tick, and an interrupt without a reschedule
 * leaves it stopped (`tick_nohz_idle_exit` is called when the idle task is left, kernel/sched/idle.c), so that the
 * wakeup that is waited for would pay for starting it again: bench `kick` compares the two.
 *
 * The short sleep is a rehearsal. A CPU that comes out of a deep state has cold caches, and what the next wakeup runs
 * through (the timer's interrupt, waking, the switch, the recorder's programs) is in them again once it has been run.
 *
 * The thread runs no JavaScript: it waits for a semaphore in libc, and a signal wakes it.
 * Threads are started at first use and kept; they cost nothing while they sleep.
 */
export class CpuKicker {
  /** Undefined: no thread can be pinned there, and that has been said. */
  readonly #sleepers = new Map<number, Sleeper | undefined>();

  /**
   * Where it fails, the CPU sees its limit when it wakes the next time.
   *
   * @throws PrewakeError PREWAKE_SYSCALL_FAILED, once for each CPU: EINVAL where it is offline or not in this process's
   *   cpuset, EAGAIN where no thread can be started
   */
  kick(cpu: number): void {
    // Where this runs no CPU sleeps, and its limit is looked at when it goes to sleep.
    if (libc().sched_getcpu() === cpu) return;
    if (!this.#sleepers.has(cpu)) {
      this.#sleepers.set(cpu, undefined);
      this.#sleepers.set(cpu, start(cpu));
    }
    const sleeper = this.#sleepers.get(cpu);
    if (sleeper) succeeded(pthreads().pthread_kill(sleeper.thread, SIGNAL), 'pthread_kill');
  }

  /** Ends all threads; the next kick starts anew. Due when CPUs have come or gone: an offline one's thread is moved. */
  close(): void {
    for (const sleeper of this.#sleepers.values()) if (sleeper) stop(sleeper);
    this.#sleepers.clear();
  }
}

function start(cpu: number): Sleeper {
  const { pthread_create, pthread_setaffinity_np, sem_init, sem_wait } = pthreads();
  const end: unknown = koffi.alloc('uint8_t', SEM_BYTES);
  checked(sem_init(end, 0, 0), 'sem_init');
  const id = new BigUint64Array(1);
  try {
    succeeded(pthread_create(id, null, sem_wait, end), 'pthread_create');
  } catch (error) {
    koffi.free(end);
    throw error;
  }
  const sleeper: Sleeper = { thread: id[0] as bigint, end };
  try {
    const mask = affinityMask([cpu]);
    succeeded(pthread_setaffinity_np(sleeper.thread, mask.length, mask), `pinning a thread to cpu ${cpu}`);
  } catch (error) {
    stop(sleeper);
    throw error;
  }
  return sleeper;
}

function stop({ thread, end }: Sleeper): void {
  const { pthread_join, sem_post } = pthreads();
  sem_post(end);
  pthread_join(thread, null);
  koffi.free(end);
}

/** What pthread functions return is an errno, and errno itself is not set. */
function succeeded(result: number, what: string): void {
  if (result !== 0) throw syscallFailed(what, errnoNamed(result));
}

function pthreads(): Pthreads {
  if (loaded) return loaded;
  const self = koffi.load(null);
  // A handler that libc brings along, and that only makes a system call. SA_RESTART is signal()'s default.
  libc().signal(SIGNAL, Number(self.symbol('usleep', 'void *')));
  loaded = {
    pthread_create: self.func('int pthread_create(_Out_ uint64_t *, void *, void *, void *)'),
    pthread_setaffinity_np: self.func('int pthread_setaffinity_np(uint64_t, size_t, void *)'),
    pthread_kill: self.func('int pthread_kill(uint64_t, int)'),
    pthread_join: self.func('int pthread_join(uint64_t, void *)'),
    sem_init: self.func('int sem_init(void *, int, unsigned int)'),
    sem_post: self.func('int sem_post(void *)'),
    sem_wait: self.symbol('sem_wait', 'void *') as bigint,
  };
  return loaded;
}
