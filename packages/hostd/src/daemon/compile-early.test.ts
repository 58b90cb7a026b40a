import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** In V8's OptimizationStatus (src/runtime/runtime.h). */
const OPTIMIZED = 1 << 4;

const early = new URL('./compile-early.ts', import.meta.url).href;

/** Whether V8 has compiled a function that was called fewer times than it asks for by default. */
function compiledSoon(before: string): boolean {
  const script = `
    ${before}
    function add(a, b) { return a + b; }
    for (let i = 0; i < 300; i++) {
      add(i, 1);
      await new Promise(setImmediate);
    }
    process.stdout.write(String(%GetOptimizationStatus(add)));`;
  const { stderr, stdout } = spawnSync(
    process.execPath,
    ['--allow-natives-syntax', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return (Number(stdout) & OPTIMIZED) !== 0;
}

test('this V8 knows the flags, and compiles what has run a few times', () => {
  expect(compiledSoon('')).toBe(false);
  expect(compiledSoon(`(await import('${early}')).compileEarly();`)).toBe(true);
});
