import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTrace } from '@prewake/hostd/internal';
import { costs, coveredFigures, latenesses } from './effect-figures.ts';
import { type EffectRun, LONG_ENOUGH_US, SHARES, setups } from './effect-setups.ts';
import { ACTIVE_US, workload } from './effect-waits.ts';
import { NativeProgram } from './native.ts';
import type { Bench, Figure } from './result.ts';

const trace = new URL('../data/agent-waits.csv', import.meta.url);

export const effect: Bench = {
  name: 'effect',
  title: 'how late wakeups are, and what guarding them costs',
  seconds: 480,
  async run({ quick, progress }) {
    const rounds = quick ? 1 : 8;
    const perRound = quick ? 40 : 300;
    const rows = parseTrace(readFileSync(trace, 'utf8'), 'agent-waits.csv');
    const stateDir = mkdtempSync(join(tmpdir(), 'prewake-effect-'));
    const waiter = NativeProgram.build('waiter');
    const all = setups(stateDir);
    const runs = new Map<string, EffectRun[]>(all.map(({ name }) => [name, []]));
    try {
      // What hostd knows before the first round, of other sessions than the rounds'.
      progress('hostd learns');
      for (const setup of all.filter(({ name }) => name.startsWith('Prewake')))
        await setup.run(waiter, workload(rows, 0, perRound));
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}`);
        const waits = workload(rows, 15 * (round + 1), perRound);
        for (const setup of round % 2 ? [...all].reverse() : all)
          runs.get(setup.name)?.push(await setup.run(waiter, waits));
      }
    } finally {
      waiter.remove();
      rmSync(stateDir, { recursive: true, force: true });
    }
    const of = (name: string) => runs.get(name) as EffectRun[];
    const always = of('always-on');
    const figures: Figure[] = all.flatMap(({ name, guard }) => {
      const share = SHARES.find((part) => name === `Prewake, ${part * 100} %`);
      const late = of(name).flatMap(({ lateUs }) => lateUs);
      return [
        ...latenesses(`${name}: all wakeups`, late),
        ...(name === 'always-on' || !guard ? [] : coveredFigures(name, of(name), always)),
        ...costs(name, of(name), share && { limit: 100 * share, direction: 'at most' }),
      ];
    });
    const governor = all.some(({ name }) => name === 'performance governor');
    return {
      name: effect.name,
      title: effect.title,
      figures,
      caveats: [
        `${rounds} interleaved rounds of ${perRound} waits, the same in each set-up: a hundredth of recorded agents’ waits (0.5 to 150 ms), ended by a service on another CPU, which is awake for 0.3 ms before it answers in all set-ups, and after every second one a timer of 25 ms. Lateness is from the service’s sending, or the timer’s time, to the first instruction of a C program.`,
        `Covered: the CPU’s limit was set when the program looked, straight after it woke, and had been since the wait began or, with Prewake, the wait had lasted at least ${LONG_ENOUGH_US / 1000} ms: in a shorter one the guard comes less than 1 ms before the wakeup. Covered wakeups are compared with the always-on guard’s wakeups from the very same waits.`,
        'Armed time is summed over CPUs, Prewake’s by hostd’s own count, and is given as a part of one CPU’s time. The always-on guard holds every CPU and is counted as one. The fixed window’s length is by hindsight, for a fifth of all wait time; so is what is left of Prewake’s share to plan with, once the active windows are taken off.',
        `The waits are a hundred times shorter than real ones and the lead before a wakeup (1 ms) is not, so a window costs a far larger share here than it would. The active window is ${ACTIVE_US / 1000} ms, what the program computes after each wakeup.`,
        governor
          ? 'Static frequency: the performance governor.'
          : 'No static frequency set-up: this machine has no frequency policy and no uclamp, so its effect is unknown here.',
        'The tail is the host’s as well as the guest’s in a virtual machine. Steps asked for no reports.',
      ],
    };
  },
};
