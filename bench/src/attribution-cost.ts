import {
  BEGIN,
  type CostSample,
  costSample,
  countedSample,
  runsWithoutSession,
  WAKEUPS,
  warmUp,
} from './attribution-run.ts';
import { NativeProgram } from './native.ts';
import { OBSERVERS, type ObserverName, recordingHostd } from './observers.ts';
import { type Aim, type Bench, type Figure, figureOf } from './result.ts';
import { bootstrap, median } from './statistics.ts';

const OTHERS = ['bpftrace', 'perf sched record'] as const;
const ASKED = 2000;

/** The samples of each observer, one a round. */
export type Rounds = ReadonlyMap<ObserverName, readonly CostSample[]>;

/** CPU time that an observer added to the machine in each round, % of a core. */
export function added(rounds: Rounds, name: ObserverName): number[] {
  const none = rounds.get('none') ?? [];
  return (rounds.get(name) ?? []).map(({ machine }, i) => machine - (none[i]?.machine ?? Number.NaN));
}

/** What Prewake adds over what the cheapest of the others adds, by medians; rounds are drawn as a whole. */
export function overCheapest(rounds: Rounds) {
  const own = added(rounds, 'Prewake');
  const others = OTHERS.map((name) => added(rounds, name));
  const pick = (all: readonly number[], drawn: readonly number[]) =>
    median(drawn.map((i) => all[i] as number));
  return bootstrap(
    own.map((_, i) => i),
    (drawn) => {
      const cheapest = Math.min(...others.map((all) => pick(all, drawn)));
      return cheapest > 0 ? pick(own, drawn) / cheapest : Number.NaN; // Lost in the noise: no ratio.
    },
  );
}

/** hostd's process and its programs, scaled to 2,000 wakeups a second, % of a core. */
export function ownPart(samples: readonly CostSample[], counted: CostSample): number[] {
  const programs = (counted.programs.ns / 1e9 / counted.seconds) * 100 * (ASKED / counted.wakeupsPerSecond);
  return samples.map(({ own, wakeupsPerSecond }) => (own * ASKED) / wakeupsPerSecond + programs);
}

export const attributionCost: Bench = {
  name: 'attribution-cost',
  title: 'what it costs to attribute every wakeup, against bpftrace and perf',
  seconds: 480,
  async run({ quick, progress }) {
    const rounds = quick ? 2 : 7;
    const seconds = quick ? 1 : 10;
    const loop = NativeProgram.build('agent-loop');
    const samples = new Map<ObserverName, CostSample[]>(OBSERVERS.map((name) => [name, []]));
    const counted = new Map<ObserverName, CostSample>();
    let detached: number;
    let young: CostSample;
    const hostd = await recordingHostd();
    try {
      progress('a new hostd');
      young = await costSample(loop, 'Prewake', hostd, seconds);
      await warmUp(loop, hostd, 6 * seconds);
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}`);
        for (const name of round % 2 ? [...OBSERVERS].reverse() : OBSERVERS)
          samples.get(name)?.push(await costSample(loop, name, hostd, seconds));
      }
      progress('counting what BPF programs take');
      for (const name of ['Prewake', 'bpftrace'] as const)
        counted.set(name, await countedSample(loop, name, hostd, seconds));
      detached = await runsWithoutSession(loop, hostd, quick ? 1 : 5);
    } finally {
      await hostd.stop();
      loop.remove();
    }
    const machine = (name: ObserverName): Figure => {
      const all = added(samples, name);
      return figureOf(
        `${name}: added to the whole machine’s CPU time`,
        '% of a core',
        bootstrap(all, median),
        all.length,
      );
    };
    const perRun = (name: ObserverName): Figure[] => {
      const { programs, wakeupsPerSecond, seconds } = counted.get(name) as CostSample;
      return [
        {
          what: `${name}: one run of a BPF program`,
          unit: 'ns',
          value: programs.ns / programs.runs,
          samples: programs.runs,
        },
        {
          what: `${name}: its BPF programs, for each wakeup of the loop`,
          unit: 'ns',
          value: programs.ns / (wakeupsPerSecond * seconds),
        },
      ];
    };
    const atMost = (limit: number): Aim => ({ limit, direction: 'at most' });
    const prewake = samples.get('Prewake') ?? [];
    const part = (some: readonly CostSample[]) => ownPart(some, counted.get('Prewake') as CostSample);
    const own = part(prewake);
    const rate = (samples.get('none') ?? []).map(({ wakeupsPerSecond }) => wakeupsPerSecond);
    return {
      name: attributionCost.name,
      title: attributionCost.title,
      figures: [
        {
          what: 'wakeups of the loop, median of rounds',
          unit: 'a second',
          value: median(rate),
          samples: rate.length,
          aim: { limit: ASKED, direction: 'at least' },
        },
        machine('Prewake'),
        ...OTHERS.map(machine),
        figureOf('Prewake ÷ the cheaper of the others', '×', overCheapest(samples), rounds, atMost(0.5)),
        ...perRun('Prewake'),
        ...perRun('bpftrace'),
        figureOf(
          `Prewake’s own part (hostd and its BPF programs), scaled to ${ASKED} wakeups a second`,
          '% of a core',
          bootstrap(own, median),
          own.length,
          atMost(2),
        ),
        figureOf(
          `hostd in the first ${BEGIN} s of a session, before what is counted above: CPU time`,
          'ms',
          bootstrap(
            prewake.map(({ beginMs }) => beginMs),
            median,
          ),
          rounds,
        ),
        {
          what: `Prewake’s own part in the first ${seconds} s of a new hostd`,
          unit: '% of a core',
          value: part([young])[0] as number,
        },
        {
          what: 'runs of hostd’s BPF programs after the last session has gone',
          unit: '',
          value: detached,
          aim: atMost(0),
        },
      ],
      caveats: [
        `${rounds} interleaved rounds of ${seconds} s of a C loop that a timer wakes ${WAKEUPS} times a second and that works 20 µs each time; added is to the same loop with nothing in the same round. The first ${BEGIN} s of each is not counted: hostd attaches its programs to a first session then. hostd is one in all rounds, as a daemon is: it had followed the loop for ${7 * seconds} s before the first, half of the last ${6 * seconds} s at four times that rate, so that V8 has compiled nearly all by then; and with others it rests, its programs detached.`,
        'The machine’s CPU time is what /proc/stat does not call idle. It holds everything that ran: the observer’s tracing, its own process, and with Prewake the announcing of a step for each hundred wakeups and a report for it.',
        'Nanoseconds are the kernel’s own count (kernel.bpf_stats_enabled), in a run of its own, of all programs on all events of the machine; perf sched record has none to count.',
        'perf sched record only records: reading its file comes on top. bpftrace keeps two histograms (waking to running, time idle) and nothing by step.',
      ],
    };
  },
};
