import { COLD, holds, type LoadRun, loadRun } from './load-run.ts';
import { NativeProgram } from './native.ts';
import type { Bench, Figure } from './result.ts';

const RATE = 10_000;
const SESSIONS = 1000;
/** Beyond it the generator and its kernel side are what is measured. */
const HIGHEST = 320_000;
const LOWEST = 1000;

function figuresOf(run: LoadRun): Figure[] {
  const { report } = run;
  const at = `${run.sessions} sessions, ${run.rate} hints a second`;
  return [
    {
      what: `${at}: rate that the generator reached`,
      unit: 'hints a second',
      value: report.rate,
      aim: { limit: 0.98 * run.rate, direction: 'at least' },
    },
    {
      what: `${at}: hints without a wait ended in hostd, error frames, sessions closed`,
      unit: '',
      value: report.hints - run.waits + report.errors + report.closed,
      samples: report.hints,
      aim: { limit: 0, direction: 'at most' },
    },
    {
      what: `${at}: hints whose window opened within 2 ms of plan`,
      unit: '%',
      value: (100 * run.onTime) / report.hints,
      samples: report.hints,
      aim: { limit: 99, direction: 'at least' },
    },
    {
      what: `${at}: the same after the first ${COLD} s`,
      unit: '%',
      value: (100 * run.warm.onTime) / run.warm.waits,
      samples: run.warm.waits,
    },
    {
      what: `${at}: resident memory, last 5 s ÷ 5 to 10 s`,
      unit: '×',
      value: run.late / run.early,
      aim: { limit: 1.1, direction: 'at most' },
    },
    { what: `${at}: resident memory, last 5 s`, unit: 'MiB', value: run.late },
    { what: `${at}: hostd’s CPU time`, unit: '% of a core', value: 100 * run.cpu },
  ];
}

export const load: Bench = {
  name: 'load',
  title: 'many sessions that hint at once',
  seconds: 120,
  async run({ quick, progress }) {
    const program = NativeProgram.build('load');
    try {
      const run = async (rate: number, seconds: number): Promise<LoadRun> => {
        const sessions = quick ? 50 : SESSIONS;
        progress(`${rate} hints a second for ${seconds} s`);
        const result = await loadRun(program, { rate, sessions, seconds });
        const { report, waits, armed, onTime } = result;
        progress(
          `${waits} of ${report.hints} waits ended, ${armed} windows opened, ${onTime} on time, ${report.errors} errors, ${report.closed} closed`,
        );
        return result;
      };
      const first = await run(quick ? LOWEST : RATE, quick ? 7 : 30);
      let highest = holds(first) ? first.rate : 0;
      // Up while it holds; down to where it does, if it never did.
      if (!quick && highest > 0)
        for (let rate = 2 * RATE; rate <= HIGHEST && holds(await run(rate, 10)); rate *= 2) highest = rate;
      if (!quick && highest === 0)
        for (let rate = RATE / 2; rate >= LOWEST && highest === 0; rate /= 2)
          if (holds(await run(rate, 10))) highest = rate;
      return {
        name: load.name,
        title: load.title,
        figures: [
          ...figuresOf(first),
          {
            what: 'highest rate, by doubling or halving, at which nothing was dropped and, after the first 5 s, 99 % opened within 2 ms',
            unit: 'hints a second',
            value: highest,
          },
        ],
        caveats: [
          'The generator is a C program on the same cores: it takes its share of them, and of the 2 ms.',
          'Each hint is a wait of 50 ms with a known end, so each has a window of its own; one that never opened counts as late. The budget never ends and the recorder is off.',
          'V8 compiles hostd’s code in the first seconds of each run: what runs for days did that long ago.',
          'From 10,000 up or down each rate runs for 10 s in a hostd of its own. 0: it held at none.',
        ],
      };
    } finally {
      program.remove();
    }
  },
};
