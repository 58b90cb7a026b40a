// Whose the time in VFS calls and faults is, and how many: on a kernel whose functions can be traced, with the agent
// of test/attribution and a hostd.
import assert from 'node:assert/strict';
import { Machine } from '../../../attribution/dist/machine.js';
import type { AgentResult, Cause, Plan } from '../../../attribution/dist/plan.js';
import { shuffled } from '../../../attribution/dist/shuffled.js';
import { flaws } from '../../../attribution/dist/verdict.js';
import type { CheckSet } from './check.ts';
import { largeFile } from './machine.ts';

const CAUSES: Cause[] = [
  ...Array<Cause>(3).fill('directory_walk'),
  ...Array<Cause>(2).fill('minor_faults'),
  'major_faults',
  'pool_walk',
  'busy_loop',
  'idle',
];
const KINDS = ['vfs', 'page_fault'] as const;
/** One takes some ten seconds. */
const TRIES = 10;

/** hostd takes seconds to load its programs here: one for all runs. */
let machine: Machine | undefined;

/** Runs all steps at once, until nothing was lost, or nothing of two that have been swapped. */
async function run(
  note: (text: string) => void,
  swapped?: [Cause, Cause],
): Promise<{ plan: Plan; result: AgentResult }> {
  if (!machine) {
    machine = new Machine();
    await machine.start({ crowded: true });
    // A hostd that has done nothing yet takes seconds for its first steps, in which frames come too late.
    await machine.runAlone(machine.plan(['directory_walk', 'busy_loop']));
  }
  const lost: string[] = [];
  while (lost.length < TRIES) {
    const causes = shuffled(CAUSES);
    const swap = swapped?.map((cause) => causes.indexOf(cause)) as [number, number] | undefined;
    const plan = machine.plan(causes, swap, largeFile());
    const result = await machine.runAlone(plan);
    const wanted = swap ? swap.map((index) => plan.labels[index]) : plan.labels;
    const why = result.spans.flatMap(({ label, attributes }) =>
      wanted.includes(label) ? (attributes['prewake.attribution.incomplete'] ?? []) : [],
    );
    // An emulated CPU takes its time, also for what a step that waits has to do.
    for (const truth of result.truths) delete truth.mostCpuNs;
    for (const line of table(result)) note(line);
    if (why.length === 0) return { plan, result };
    lost.push(why.join());
    note(`not complete: ${why.join()}`);
  }
  throw new Error(`not complete in ${TRIES} tries: ${lost.join('; ')}`);
}

/** What each step was planted, beside what it was charged. */
function table({ truths, spans }: AgentResult): string[] {
  return truths.map(({ label, cause, vfsCalls, minorFaults, majorFaults, within }) => {
    const figures = spans.find((span) => span.label === label)?.attributes ?? {};
    const of = (name: string) => figures[`prewake.slowpath.${name}`] ?? 0;
    const ms = (ns: unknown) => (Number(ns) / 1e6).toFixed(1);
    return [
      `${cause}: calls ${of('vfs.count')}/${vfsCalls}`,
      `minor ${of('page_fault.minor.count')}/${minorFaults}`,
      `major ${of('page_fault.major.count')}/${majorFaults}`,
      `vfs ${ms(of('vfs.self_ns'))}/${ms(within?.vfs)} ms`,
      `page_fault ${ms(of('page_fault.self_ns'))}/${ms(within?.page_fault)} ms`,
      `shared ${of('slice.shared.count')}`,
      `ran ${ms(figures['prewake.cpu_ns'])} ms`,
    ].join(', ');
  });
}

export const checks: CheckSet = {
  'steps at once in one process are charged for their own VFS calls and faults alone': async ({ note }) => {
    const { result } = await run(note);
    for (const { attributes } of result.spans)
      for (const name of KINDS)
        assert.ok(attributes[`prewake.slowpath.${name}.self_ns`] !== undefined, `${name} is known`);
    assert.deepEqual(flaws(result, KINDS), []);
  },

  'two steps that have been swapped are found out': async ({ note }) => {
    await using _ended = { [Symbol.asyncDispose]: async () => machine?.close() };
    const { plan, result } = await run(note, ['directory_walk', 'minor_faults']);
    const found = flaws(result, KINDS);
    for (const index of plan.swap ?? []) {
      const its = found.filter((flaw) => flaw.startsWith(`${plan.labels[index]} `));
      for (const what of ['vfsCalls', 'minorFaults', ...KINDS])
        assert.ok(
          its.some((flaw) => flaw.includes(` ${what}`)),
          `${what} of ${its.join('; ')}`,
        );
    }
  },
};
