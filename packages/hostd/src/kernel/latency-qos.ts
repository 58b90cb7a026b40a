import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelWriter } from './writer.ts';

/** Where it is, below the root directory. */
export const LATENCY_QOS = 'dev/cpu_dma_latency';

/** PM_QOS_CPU_LATENCY_DEFAULT_VALUE: no constraint, microseconds. */
export const NO_CONSTRAINT = 2_000_000_000;

/**
 * One request on the machine-wide CPU latency limit. The kernel ties a request to the open file and drops it at
 * the last close; a new one starts at {@link NO_CONSTRAINT}, so merely opening the device changes nothing.
 * A process that inherits the descriptor shares the request and can lift it for an owner that is stopped.
 */
export class LatencyRequest {
  readonly fd: number;
  readonly #writer: KernelWriter;
  readonly #buffer = Buffer.alloc(4);

  constructor(fd: number, writer: KernelWriter) {
    this.fd = fd;
    this.#writer = writer;
  }

  /** Errors are Node's: ENOENT where the kernel has no CPU latency QoS, EACCES for all but root. */
  static open(root: string, writer: KernelWriter): LatencyRequest {
    return new LatencyRequest(openSync(join(root, LATENCY_QOS), 'r+'), writer);
  }

  /** Microseconds, 0 (poll) to {@link NO_CONSTRAINT}. The kernel kicks idle CPUs when the limit changes. */
  set(micros: number): void {
    this.#buffer.writeInt32LE(micros);
    this.#writer.run('qos', LATENCY_QOS, String(micros), () => writeSync(this.fd, this.#buffer, 0, 4, 0));
  }

  /** The limit in force: the least of all requests on the machine. */
  effective(): number {
    const length = readSync(this.fd, this.#buffer, 0, 4, 0);
    return length === 4 ? this.#buffer.readInt32LE() : NO_CONSTRAINT;
  }

  close(): void {
    closeSync(this.fd);
  }
}
