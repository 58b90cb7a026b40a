import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode } from './libc.ts';
import type { KernelWriter } from './writer.ts';

const SYSFS_MAGIC = 0x62656572;
const SYSFS = 'sys/devices/system/cpu';

/**
 * Reads and writes the kernel's one-value files below a root directory. Files of the hot path are kept open:
 * a read or a write is then one system call (pread, pwrite).
 *
 * Paths are relative to the root (`sys/devices/system/cpu/online`). Errors are Node's own, with their errno as
 * `code`: EBUSY, ENOENT, ENODEV and EROFS mean different things to different controls.
 */
export class ControlFiles {
  readonly root: string;
  readonly #writer: KernelWriter;
  readonly #fds = new Map<string, number>();
  readonly #buffer = Buffer.allocUnsafe(512);
  /** An ordinary file keeps the tail of a longer old value; sysfs does not. */
  readonly #truncates: boolean;

  constructor(root: string, writer: KernelWriter) {
    this.root = root;
    this.#writer = writer;
    const sysfs = join(root, SYSFS);
    this.#truncates = existsSync(sysfs) && statfsSync(sysfs).type !== SYSFS_MAGIC;
  }

  path(path: string): string {
    return join(this.root, path);
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  /** Whether the file is there and this process may write it. */
  writable(path: string): boolean {
    try {
      accessSync(this.path(path), constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** Names in a directory; none where it is not there. */
  list(path: string): string[] {
    try {
      return readdirSync(this.path(path));
    } catch {
      return [];
    }
  }

  /** The value of a file that need not be there or readable: undefined means not known. */
  peek(path: string): string | undefined {
    try {
      return readFileSync(this.path(path), 'latin1').trim();
    } catch {
      return undefined;
    }
  }

  /** {@link peek} as a number; undefined where it is none. */
  peekNumber(path: string): number | undefined {
    const text = this.peek(path);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  /** The value of a control, through a descriptor that is kept. */
  read(path: string): string {
    return this.#retry(path, (fd) => {
      const length = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
      return this.#buffer.toString('latin1', 0, length).trim();
    });
  }

  /** Writes a control, through a descriptor that is kept. */
  write(path: string, value: string): void {
    this.#writer.run('sysfs', path, value, () => {
      this.#retry(path, (fd) => {
        const length = writeSync(fd, value, 0, 'latin1');
        if (this.#truncates) ftruncateSync(fd, length);
      });
    });
  }

  /** {@link read} of a file that is not worth a kept descriptor (a process's own). */
  readOnce(path: string): string {
    return readFileSync(this.path(path), 'latin1').trim();
  }

  /** {@link write} to a file that is not worth a kept descriptor. */
  writeOnce(kind: 'sysfs' | 'proc', path: string, value: string): void {
    this.#writer.run(kind, path, value, () => {
      const fd = openSync(this.path(path), 'w');
      try {
        // Not at an offset: a seq_file refuses pwrite with ESPIPE.
        writeSync(fd, value, null, 'latin1');
      } finally {
        closeSync(fd);
      }
    });
  }

  /** The descriptor of a control that was removed and came back (hotplug) answers ENODEV: open it anew, once. */
  #retry<T>(path: string, use: (fd: number) => T): T {
    const kept = this.#fds.get(path);
    if (kept !== undefined) {
      try {
        return use(kept);
      } catch (error) {
        if (errorCode(error) !== 'ENODEV') throw error;
        this.#fds.delete(path);
        closeSync(kept);
      }
    }
    return use(this.#open(path));
  }

  #open(path: string): number {
    let fd: number;
    try {
      fd = openSync(this.path(path), 'r+');
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
      fd = openSync(this.path(path), 'r');
    }
    this.#fds.set(path, fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }
}
