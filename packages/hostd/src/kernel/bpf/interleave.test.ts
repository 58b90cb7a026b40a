import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { objectPath } from './object-path.ts';

const missing = spawnSync('clang', ['--version']).status === 0 ? '' : ' (clang is not installed)';
const source = fileURLToPath(new URL('./interleave.testkit.c', import.meta.url));

/** Programs of the recorder as they are, for this machine; what only BPF can is not reached. */
const FLAGS = [
  ...['-Wall', '-Werror', '-Wno-unknown-attributes', '-Wno-unused-function', '-Wno-pass-failed'],
  ...['-Wno-incompatible-library-redeclaration', '-D__builtin_preserve_field_info(...)=1', '-O1'],
  // Elsewhere an atomic addition is several instructions, which can't be stepped through.
  ...(process.arch === 'arm64' ? ['-march=armv8.1-a'] : []),
];

describe.skipIf(missing !== '')(`accounts of time${missing}`, () => {
  it('are right, and stay so, whichever instruction an interrupt or a switch comes at', {
    timeout: 300_000,
  }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'prewake-interleave-'));
    try {
      const program = join(directory, 'interleave');
      execFileSync('clang', [...FLAGS, `-I${dirname(objectPath())}`, source, '-o', program]);
      const { stdout, status } = spawnSync(program, { encoding: 'utf8' });
      const results = stdout.split('\n').filter((line) => line.includes(' points, '));
      expect(results.length).toBe(8);
      expect(stdout).toMatch(/a hard interrupt at a soft one: \d\d+ points/);
      expect(
        results.filter((line) => !line.endsWith(', 0 wrong')),
        stdout,
      ).toEqual([]);
      expect(status).toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
