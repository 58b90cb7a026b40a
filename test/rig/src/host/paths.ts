import { join } from 'node:path';

export const rigDir = join(import.meta.dirname, '..', '..');
export const projectDir = join(rigDir, '..', '..');
/** Kernels, initrds and tables that were fetched or built once; safe to delete at any time. */
export const cacheDir = join(projectDir, '.cache', 'rig');
