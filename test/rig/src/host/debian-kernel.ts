import { spawn } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { command } from './command.ts';
import { cacheDir } from './paths.ts';

/** A stock Debian kernel, unpacked. */
export interface Kernel {
  /** What `uname -r` says in the guest. */
  release: string;
  /** The ELF image: boots in half the time of the bzImage that carries it. */
  vmlinux: string;
  modulesDir: string;
}

/**
 * The kernel that a Debian metapackage such as `linux-image-amd64` stands for. ABI names rotate, so it is resolved
 * and never named. The first answer is kept: a second run needs no network, deleting `.cache/rig` asks again.
 */
export async function ensureKernel(metapackage: string): Promise<Kernel> {
  const folder = join(cacheDir, 'kernel', metapackage);
  const manifest = join(folder, 'kernel.json');
  if (!existsSync(manifest)) await fetchKernel(metapackage, folder);
  const release = (JSON.parse(await readFile(manifest, 'utf8')) as { release: string }).release;
  return {
    release,
    vmlinux: join(folder, 'vmlinux'),
    modulesDir: join(folder, 'root', 'lib', 'modules', release, 'kernel'),
  };
}

async function fetchKernel(metapackage: string, folder: string): Promise<void> {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });

  let image = await resolve(metapackage);
  if (image === undefined) {
    await command('apt-get', ['update', '-qq']);
    image = await resolve(metapackage);
  }
  if (image === undefined) throw new Error(`apt knows no kernel image that ${metapackage} depends on`);
  await command('apt-get', ['download', '-qq', image], { cwd: partial, timeoutMs: 600_000 });
  const deb = readdirSync(partial).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw new Error(`apt-get download ${image} left no package`);
  await command('dpkg', ['-x', join(partial, deb), join(partial, 'root')]);
  rmSync(join(partial, deb));

  const bzImage = readdirSync(join(partial, 'root', 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (bzImage === undefined) throw new Error(`${image} holds no vmlinuz`);
  const release = bzImage.slice('vmlinuz-'.length);
  await extractVmlinux(join(partial, 'root', 'boot', bzImage), join(partial, 'vmlinux'));
  await writeFile(join(partial, 'kernel.json'), JSON.stringify({ package: image, release }));
  renameSync(partial, folder);
}

async function resolve(metapackage: string): Promise<string | undefined> {
  const text = await command('apt-cache', ['depends', metapackage]).catch(() => '');
  return /Depends: (linux-image-\S+)/.exec(text)?.[1];
}

/** The payload's place is in the setup header: Documentation/arch/x86/boot.rst, protocol 2.08. */
async function extractVmlinux(bzImage: string, target: string): Promise<void> {
  const image = await readFile(bzImage);
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const length = image.readUInt32LE(0x24c);
  const magic = image.readUInt32BE(start);
  const decompressor = { 4248271448: ['xz', '-dc', '--single-stream'], 682962941: ['zstd', '-dc'] }[magic];
  if (decompressor === undefined) throw new Error(`unknown kernel compression, magic ${magic.toString(16)}`);
  const [file, ...args] = decompressor as [string, ...string[]];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {}); // It may stop reading at the length word that follows the stream.
  await Promise.all([
    // The last 4 bytes are the unpacked size, which is no part of the compressed stream.
    pipeline(createReadStream(bzImage, { start, end: start + length - 5 }), child.stdin),
    pipeline(child.stdout, createWriteStream(target)),
  ]);
}
