// vitest's global setup: compiles the packages once, so that child processes in tests run what ships.
import { spawnSync } from 'node:child_process';

export default function build() {
  const tsc = spawnSync('node_modules/.bin/tsc', ['-b'], { stdio: 'inherit' });
  if (tsc.status !== 0) console.warn('build-once: tsc reported errors; children run what it emitted');
}
