// Runs check sets in the guest: `node main.js smoke.js 'guards.js#idle' …`; after the # is a pattern of names. Each check is one JSON line on the second serial
// port: unlike the shared folder, it works after a suspend too.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CheckResult, type CheckSet, SkipCheck } from './check.ts';

/** For machines that do much else: on a quiet one no check takes a quarter of it. */
const CHECK_TIMEOUT_MS = 240_000;
const REPORT = '/dev/ttyS1';
let failed = 0;

for (const argument of process.argv.slice(2)) {
  const [file = '', only = ''] = argument.split('#');
  const { checks } = (await import(join(import.meta.dirname, file))) as { checks: CheckSet };
  for (const [name, check] of Object.entries(checks)) {
    if (!new RegExp(only).test(name)) continue;
    const result: CheckResult = { name, outcome: 'passed', notes: [] };
    console.log(`rig: > ${name}`);
    try {
      await Promise.race([
        check({
          skip: (reason) => {
            throw new SkipCheck(reason);
          },
          note: (text) => {
            console.log(`rig:   ${text}`);
            result.notes.push(text);
          },
        }),
        sleep(CHECK_TIMEOUT_MS, undefined, { ref: false }).then(() => {
          throw new Error(`not done after ${CHECK_TIMEOUT_MS / 1000} s`);
        }),
      ]);
    } catch (error) {
      result.outcome = error instanceof SkipCheck ? 'skipped' : 'failed';
      result.message = error instanceof SkipCheck ? error.message : ((error as Error).stack ?? String(error));
      if (result.outcome === 'failed') {
        failed++;
        console.log(`rig: FAILED ${result.message}`);
      }
    }
    appendFileSync(REPORT, `${JSON.stringify(result)}\n`);
  }
}
// After a suspend nothing that has to be read from the host works, so that the ordinary way down may hang.
console.log(`rig: exit ${failed === 0 ? 0 : 1}`);
await sleep(300);
writeFileSync('/proc/sysrq-trigger', 'b');
