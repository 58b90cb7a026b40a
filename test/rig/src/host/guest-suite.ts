import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { CheckResult, CheckSet } from '../guest/check.ts';
import { unavailable } from './prepare.ts';
import { type RigJob, type RigOutcome, run } from './rig.ts';

/** A file of `guest/`, without ending, the checks that it exports, and which of them by name; default all. */
export type GuestFile = [name: string, checks: CheckSet, only?: RegExp];

export interface SuiteOptions extends Omit<RigJob, 'script'> {
  /** More to look at after power-off, with the debug console's log at hand. */
  after?: Record<string, (outcome: RigOutcome) => void>;
}

/** Two machines at a time: each is busy on one core, mostly. */
const MACHINES = 2;
/** `RIG_SEED=57693980` repeats random sequences. */
const SEED = /^\d+$/.test(process.env.RIG_SEED ?? '') ? `export RIG_SEED=${process.env.RIG_SEED}; ` : '';
const running = new Set<Promise<unknown>>();

async function whenThereIsRoom<T>(start: () => Promise<T>): Promise<T> {
  while (running.size >= MACHINES) await Promise.race(running);
  const one = start();
  const settled = one.catch(() => {}).finally(() => running.delete(settled));
  running.add(settled);
  return one;
}

/**
 * Boots once, runs all check sets in that boot, and reports every check as a test of its own while the guest gets
 * on. The guest runs what `tsc -b` compiled.
 */
export function guestSuite(title: string, files: readonly GuestFile[], options: SuiteOptions = {}): void {
  const { after = {}, ...job } = options;
  const metapackage = job.kernel ?? 'linux-image-amd64';
  const reason = unavailable(metapackage);
  const timeoutS = job.timeoutS ?? 120;

  const lines: string[] = [];
  let share = '';
  let ended: Promise<RigOutcome | Error>;
  let isOver = false;
  let keep = false;

  // Of the file and not of the describe: all its machines boot at once, as far as there is room.
  beforeAll(() => {
    if (reason !== undefined) return;
    const compiled = files.map(([name, , only]) => `'${name}.js${only ? `#${only.source}` : ''}'`).join(' ');
    ended = whenThereIsRoom(() =>
      run({
        ...job,
        timeoutS,
        // On CPU 0, so that nothing but what a check puts there runs on CPU 1.
        script: `${SEED}exec taskset -c 0 node --enable-source-maps test/rig/dist/guest/main.js ${compiled}`,
        onShare: (folder) => {
          share = folder;
        },
        onLine: (line) => lines.push(line),
      }),
    )
      .catch((error: Error) => error)
      .finally(() => {
        isOver = true;
      });
  });

  describe.skipIf(reason !== undefined)(
    reason === undefined ? title : `${title} (skipped: ${reason})`,
    () => {
      const timeout = (timeoutS + 900) * 1000; // A first run fetches the kernel.
      for (const [file, checks, only] of files) {
        describe(file, () => {
          for (const name of Object.keys(checks).filter((check) => only?.test(check) ?? true)) {
            test(name, { timeout }, async (context) => {
              const result = await resultOf(name);
              for (const note of result.notes) await context.annotate(note);
              if (result.outcome === 'skipped') context.skip(result.message);
              if (result.outcome === 'failed') {
                keep = true;
                throw new Error(`in the guest: ${result.message}`);
              }
            });
          }
        });
      }

      for (const [name, check] of Object.entries(after)) {
        test(name, { timeout }, async () => {
          const outcome = await ended;
          if (outcome instanceof Error) throw outcome;
          check(outcome);
        });
      }

      afterAll(async () => {
        const outcome = await ended;
        if (outcome instanceof Error) throw outcome;
        if (!keep) outcome.discard();
      }, timeout);

      async function resultOf(name: string): Promise<CheckResult> {
        for (;;) {
          const over = isOver; // Read before the file: what the guest wrote last must be seen.
          const found = reported().find((result) => result.name === name);
          if (found !== undefined) return found;
          if (over) {
            const outcome = await ended;
            if (outcome instanceof Error) throw outcome;
            keep = true;
            const why = outcome.timedOut ? `the guest was killed after ${timeoutS} s` : 'the guest ended';
            throw new Error(`${why} before this check; its console ends:\n${lines.slice(-30).join('\n')}`);
          }
          await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 200))]);
        }
      }

      function reported(): CheckResult[] {
        const file = join(share, 'report');
        if (share === '' || !existsSync(file)) return [];
        const text = readFileSync(file, 'utf8');
        return text
          .slice(0, text.lastIndexOf('\n') + 1)
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as CheckResult);
      }
    },
  );
}
