import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** What the set-up may leave behind besides node_modules and dist; not in git. */
export const cacheDir = join(root, '.cache');
export const binDir = join(root, 'node_modules', '.bin');
export const unpackedDir = join(cacheDir, 'debian');

/** PATH for tasks: the pinned Node and the workspace's tools first, then unpacked Debian tools. */
export function taskEnv() {
  return { ...process.env, PATH: `${binDir}:${process.env.PATH ?? ''}:${join(unpackedDir, 'usr', 'bin')}` };
}
