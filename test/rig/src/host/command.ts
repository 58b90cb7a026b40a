import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

export interface CommandOptions {
  cwd?: string;
  timeoutMs?: number;
}

/** Runs a host command without a shell and returns its standard output. Rejects with its standard error. */
export async function command(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  try {
    const { stdout } = await execFileAsync(file, args, {
      cwd: options.cwd,
      timeout: options.timeoutMs ?? 120_000,
      maxBuffer: 64 << 20,
      encoding: 'utf8',
    });
    return stdout;
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new Error(`${file} ${args.join(' ')}: ${stderr?.trim() || (cause as Error).message}`, { cause });
  }
}

/** Whether `name` is an executable on PATH or in the sbin folders that PATH may leave out. */
export function hasCommand(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
