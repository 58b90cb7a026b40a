import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../kernel/libc.ts';
import type { HostdConfig } from './config.ts';
import type { Log } from './log.ts';

/** The longest reason that is kept. */
export const MAX_REASON = 200;

/**
 * A pause across restarts of hostd: a file in the runtime directory that holds its reason. Were it forgotten, arming
 * would go on against an administrator's word; that it ends with the boot is what the directory is for.
 */
export class PauseFile {
  readonly path: string;
  readonly #log: Log;

  /** The runtime directory may be shared, as with a dry run beside; a pause is of the hostd behind one socket. */
  constructor({ runtimeDir, socket }: Pick<HostdConfig, 'runtimeDir' | 'socket'>, log: Log) {
    this.path = join(runtimeDir, `${basename(socket)}.paused`);
    this.#log = log;
  }

  /** The reason for which hostd was left paused, empty where none was given; undefined: it was not. */
  read(): string | undefined {
    try {
      return readFileSync(this.path, 'utf8').slice(0, MAX_REASON);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      // Nobody is hurt by a pause too many.
      return `its reason can't be read: ${(error as Error).message}`;
    }
  }

  write(reason: string): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o755 });
      writeFileSync(this.path, reason, { mode: 0o600 });
    } catch (error) {
      this.#log(`the pause will end with this hostd: ${(error as Error).message}`, 'warn');
    }
  }

  remove(): void {
    try {
      rmSync(this.path, { force: true });
    } catch (error) {
      this.#log(`the next hostd will be paused again: ${(error as Error).message}`, 'warn');
    }
  }
}
