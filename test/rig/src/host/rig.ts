import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AcpiVariant } from './acpi-table.ts';
import { cacheDir, projectDir } from './paths.ts';
import { prepare } from './prepare.ts';
import { boot } from './qemu.ts';

/** What failed runs left is kept for a day. */
const KEEP_MS = 24 * 3600_000;

export interface RigJob {
  /** Run by the guest's `/bin/sh` in the project's folder, with the project's Node first on PATH. */
  script: string;
  /** Default: each CPU is its own frequency domain. */
  acpi?: AcpiVariant;
  /** The Debian metapackage whose kernel boots. Default: `linux-image-amd64`. */
  kernel?: string;
  /** Seconds from power-on until QEMU is killed. Default 120. */
  timeoutS?: number;
  /** More kernel command line. */
  cmdline?: string;
  /** The console, line by line, as it appears. */
  onLine?: (line: string) => void;
  /** The folder shared with the guest (`/run/rig` in it), once it exists. */
  onShare?: (folder: string) => void;
}

export interface RigOutcome {
  /** The script's exit status; undefined where the machine died before it ended. */
  exitCode: number | undefined;
  timedOut: boolean;
  console: string;
  /** Bytes written to each CPU's P-state port: 0x30 = 3.0 GHz … 0x33 = 1.2 GHz. */
  pstates: [Buffer, Buffer];
  /** Reads a file that the script left in `/run/rig`. */
  file(name: string): string;
  /** Removes the shared folder. Keep it to look at what went wrong. */
  discard(): void;
}

/** Boots a Debian kernel with P-states and C-states, runs a script in it, and returns what it left. */
export async function run(job: RigJob): Promise<RigOutcome> {
  const artifacts = await prepare(job.kernel ?? 'linux-image-amd64', job.acpi ?? 'independent');
  const runs = join(cacheDir, 'runs');
  mkdirSync(runs, { recursive: true });
  for (const name of readdirSync(runs)) {
    const folder = join(runs, name);
    if (Date.now() - statSync(folder).mtimeMs > KEEP_MS) rmSync(folder, { recursive: true, force: true });
  }
  const share = mkdtempSync(join(runs, `${process.pid}-`));
  writeFileSync(
    join(share, 'job.sh'),
    [
      `cd ${quote(projectDir)}`,
      `export HOME=/root TERM=dumb PATH=${quote(join(projectDir, 'node_modules', '.bin'))}:/usr/sbin:/usr/bin:/sbin:/bin`,
      'export RIG_SHARE=/run/rig',
      job.script,
      '',
    ].join('\n'),
  );
  job.onShare?.(share);
  const lines: string[] = [];
  const power = await boot({
    ...artifacts,
    share,
    cmdline: job.cmdline ?? '',
    timeoutMs: (job.timeoutS ?? 120) * 1000,
    onLine: (line) => {
      lines.push(line);
      job.onLine?.(line);
    },
  });
  if (power.signal === null && power.status !== 0) throw new Error(`QEMU: ${power.stderr.trim()}`);
  const exit = lines.findLast((line) => line.startsWith('rig: exit '));
  return {
    exitCode: exit === undefined ? undefined : Number(exit.slice('rig: exit '.length)),
    timedOut: power.timedOut,
    console: lines.join('\n'),
    pstates: [readFileSync(join(share, 'pstate-0.bin')), readFileSync(join(share, 'pstate-1.bin'))],
    file: (name) => readFileSync(join(share, name), 'utf8'),
    discard: () => rmSync(share, { recursive: true, force: true }),
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
