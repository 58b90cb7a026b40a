import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { command } from './command.ts';
import type { Kernel } from './debian-kernel.ts';
import { cacheDir, rigDir } from './paths.ts';

/** Load order. What a kernel has built in is not there as a file, and is left out. */
const MODULES = [
  'acpi-cpufreq',
  'cpufreq_powersave',
  'virtio_ring',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio',
  'virtio_pci',
  'netfs',
  'fscache',
  '9pnet',
  '9pnet_virtio',
  '9p',
  'overlay',
  'virtio_blk',
  'crc16',
  'crc32c_generic',
  'mbcache',
  'jbd2',
  'ext4',
];

/** BusyBox, the modules and `guest/init.sh`, packed once for each kernel and each version of the script. */
export async function ensureInitrd(kernel: Kernel): Promise<string> {
  const init = await readFile(join(rigDir, 'src', 'guest', 'init.sh'), 'utf8');
  const version = createHash('sha256').update(init).update(MODULES.join()).digest('hex').slice(0, 12);
  const target = join(cacheDir, `initrd-${kernel.release}-${version}.gz`);
  if (existsSync(target)) return target;

  const root = mkdtempSync(join(tmpdir(), 'prewake-initrd-'));
  try {
    for (const folder of ['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'upper', 'root'])
      mkdirSync(join(root, folder));
    copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'));
    const files = await Promise.all(MODULES.map((name) => copyModule(kernel, name, join(root, 'modules'))));
    writeFileSync(
      join(root, 'modules', 'order'),
      `${files.filter((file) => file !== undefined).join('\n')}\n`,
    );
    writeFileSync(join(root, 'init'), init, { mode: 0o755 });
    await command('sh', ['-c', 'find . | cpio --quiet -o -H newc > ../"$0".cpio', basename(root)], {
      cwd: root,
    });
    const archive = `${root}.cpio`;
    await writeFile(`${target}.partial`, gzipSync(await readFile(archive), { level: 1 }));
    rmSync(archive);
    renameSync(`${target}.partial`, target);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return target;
}

async function copyModule(kernel: Kernel, name: string, folder: string): Promise<string | undefined> {
  const found = globSync(`**/${name}.ko*`, { cwd: kernel.modulesDir })[0];
  if (found === undefined) return undefined;
  copyFileSync(join(kernel.modulesDir, found), join(folder, basename(found)));
  if (found.endsWith('.xz')) await command('xz', ['-d', join(folder, basename(found))]);
  return `${name}.ko`;
}
