import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';
import { cacheDir, rigDir } from './paths.ts';

/** Whether each CPU is a frequency domain of its own, or both are one. */
export type AcpiVariant = 'independent' | 'shared';

/** Compiles `acpi/cpupm.asl` to the table that QEMU hands to the guest. */
export async function ensureAcpiTable(variant: AcpiVariant): Promise<string> {
  const source = join(rigDir, 'acpi', 'cpupm.asl');
  const version = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 12);
  const prefix = join(cacheDir, `cpupm-${variant}-${version}`);
  if (existsSync(`${prefix}.aml`)) return `${prefix}.aml`;
  mkdirSync(cacheDir, { recursive: true });
  const define = variant === 'shared' ? ['-D', 'SHARED_POLICY'] : [];
  await command('iasl', ['-ve', ...define, '-p', `${prefix}-partial`, source]);
  renameSync(`${prefix}-partial.aml`, `${prefix}.aml`);
  return `${prefix}.aml`;
}
