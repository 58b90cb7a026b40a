import { spawnSync } from 'node:child_process';

export interface ToolOptions {
  input?: string;
  timeoutMs?: number;
}

/** Runs a program to its end. Throws, with all that is known of why, unless it ends with status 0. */
export function runTool(
  file: string,
  args: readonly string[],
  { input = '', timeoutMs = 0 }: ToolOptions = {},
): { stdout: string; stderr: string } {
  const { status, signal, error, stdout, stderr } = spawnSync(file, args, {
    input,
    timeout: timeoutMs,
    maxBuffer: 64 << 20,
    encoding: 'utf8',
  });
  if (status === 0 && !error) return { stdout, stderr };
  // Without a status it was not started (error), was killed (signal), or both: it said or took too much.
  const why = [
    status !== null && `status ${status}`,
    signal && `killed by ${signal}`,
    error,
    stderr?.trim().slice(-2000),
  ];
  throw new Error(`${file} ${args.join(' ')}: ${why.filter(Boolean).join('; ')}`);
}
