import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type AcpiVariant, ensureAcpiTable } from './acpi-table.ts';
import { hasCommand } from './command.ts';
import { ensureKernel } from './debian-kernel.ts';
import { ensureInitrd } from './initrd.ts';
import { cacheDir } from './paths.ts';

export interface Artifacts {
  release: string;
  vmlinux: string;
  initrd: string;
  acpiTable: string;
}

/** Why the rig can't run here, or undefined where it can (a kernel may still have to be fetched). */
export function unavailable(metapackage: string): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return 'the rig emulates x86-64 on x86-64 Linux';
  const missing = ['qemu-system-x86_64', 'iasl', 'busybox', 'cpio', 'xz', 'zstd', 'setpriv', 'flock'].filter(
    (name) => !hasCommand(name),
  );
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (test/rig/debian-packages.json)`;
  if (existsSync(join(cacheDir, 'kernel', metapackage, 'kernel.json'))) return undefined;
  if (!hasCommand('apt-get')) return `${metapackage} is neither cached nor to be had without apt-get`;
  // Debian's own kernel is always offered, once the lists are there; another one may not be.
  const known = spawnSync('apt-cache', ['show', metapackage], { stdio: 'ignore' }).status === 0;
  if (!known && metapackage !== 'linux-image-amd64') return `apt does not offer ${metapackage}`;
  return undefined;
}

/** Fetches and builds what is missing. Test files run at once, so that a lock keeps them out of each other's way. */
export async function prepare(metapackage: string, acpi: AcpiVariant): Promise<Artifacts> {
  mkdirSync(join(cacheDir, 'kernel'), { recursive: true });
  const { stdout } = await promisify(execFile)(
    'flock',
    [join(cacheDir, 'lock'), process.execPath, import.meta.filename, metapackage, acpi],
    { timeout: 900_000 },
  );
  return JSON.parse(stdout) as Artifacts;
}

if (process.argv[1] === import.meta.filename) {
  const [metapackage = 'linux-image-amd64', acpi = 'independent'] = process.argv.slice(2);
  const kernel = await ensureKernel(metapackage);
  const artifacts: Artifacts = {
    release: kernel.release,
    vmlinux: kernel.vmlinux,
    initrd: await ensureInitrd(kernel),
    acpiTable: await ensureAcpiTable(acpi as AcpiVariant),
  };
  process.stdout.write(JSON.stringify(artifacts));
}
