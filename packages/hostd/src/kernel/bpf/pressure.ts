import { closeSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PrewakeError } from '@prewake/sdk/protocol';
import koffi from 'koffi';
import { errorName } from './mapping.ts';

const EFD_CLOEXEC = 0o2000000;
const eventfd = koffi.load(null).func('eventfd', 'int', ['uint32', 'int']);

/** What the worker is started with. */
export interface PressureWorkerData {
  ringFd: number;
  stopFd: number;
}

/**
 * Calls `listener` when the BPF side says that the ring is half full. A worker thread blocks on the ring's fd: Node
 * itself can't watch it, and a libuv pool thread would be missed elsewhere. While nobody says anything, it sleeps.
 */
export class PressureWait {
  readonly #stopFd: number;
  readonly #worker: Worker;
  #closed = false;
  // A thread that is blocked in C would keep the process from exiting.
  readonly #onExit = (): void => this.#stop();

  /** `listening` is called once, when a half-full ring begins to be noticed. */
  constructor(ringFd: number, listening: () => void, listener: () => void) {
    this.#stopFd = eventfd(0, EFD_CLOEXEC);
    if (this.#stopFd < 0)
      throw new PrewakeError('PREWAKE_SYSCALL_FAILED', `eventfd: ${errorName(koffi.errno())}`);
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const workerData: PressureWorkerData = { ringFd, stopFd: this.#stopFd };
    this.#worker = new Worker(new URL(`./pressure-worker.${extension}`, import.meta.url), {
      workerData,
      execArgv: [],
      name: 'prewake-ring',
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    this.#worker.on('message', (message: 'listening' | 'pressure') => {
      if (this.#closed) return;
      if (message === 'listening') listening();
      else listener();
    });
    // Without it, drains at the end of steps still empty the ring, and what is lost is counted.
    this.#worker.on('error', () => {});
    // The worker may use the fd until it is gone, which may be before anybody stops it.
    this.#worker.on('exit', () => {
      this.#closed = true;
      process.off('exit', this.#onExit);
      closeSync(this.#stopFd);
    });
    this.#worker.unref();
    process.once('exit', this.#onExit);
  }

  #stop(): void {
    if (this.#closed) return;
    this.#closed = true;
    writeSync(this.#stopFd, new Uint8Array(new BigUint64Array([1n]).buffer));
  }

  close(): void {
    process.off('exit', this.#onExit);
    this.#stop();
  }
}
