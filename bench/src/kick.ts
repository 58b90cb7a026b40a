import { cpus } from 'node:os';
import { NativeProgram } from './native.ts';
import { withControls } from './own-controls.ts';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, bootstrapPair, median, quantile } from './statistics.ts';

const WAYS = {
  none: 'no limit',
  write: 'limit written 1 ms before',
  interrupt: 'written, then an interrupt',
  thread: 'written, then a thread that runs there',
  rehearsal: 'written, then a thread that runs there and sleeps 50 µs',
  before: 'limit set before the sleep',
} as const;
type Way = keyof typeof WAYS;

/** A wait and the pause after it, seconds. */
const TURN = 0.016;

export function parseKicks(text: string): Map<Way, number[]> {
  const late = new Map<Way, number[]>((Object.keys(WAYS) as Way[]).map((way) => [way, []]));
  for (const line of text.trimEnd().split('\n')) {
    const [way, ns] = line.split(' ') as [Way, string];
    late.get(way)?.push(Number(ns) / 1000);
  }
  return late;
}

export const kick: Bench = {
  name: 'kick',
  title: 'what makes a sleeping CPU see its new limit, and what its next wakeup pays',
  seconds: 50,
  async run({ quick }) {
    const rounds = quick ? 20 : 500;
    const program = NativeProgram.build('kick');
    let text: string;
    try {
      const args = [cpus().length - 1, 0, rounds];
      const seconds = rounds * Object.keys(WAYS).length * TURN * 3 + 10;
      text = await withControls((prefix) => program.run(args, { seconds, prefix }));
    } finally {
      program.remove();
    }
    const late = parseKicks(text);
    const of = (way: Way) => late.get(way) as number[];
    const p90 = (all: readonly number[]) => quantile(all, 0.9);
    return {
      name: kick.name,
      title: kick.title,
      figures: [
        ...(Object.keys(WAYS) as Way[]).flatMap((way) => [
          figureOf(`${WAYS[way]}: lateness p50`, 'µs', bootstrap(of(way), median), of(way).length),
          figureOf(`${WAYS[way]}: lateness p90`, 'µs', bootstrap(of(way), p90), of(way).length),
        ]),
        figureOf(
          'rehearsal ÷ limit set before the sleep, p50',
          '×',
          bootstrapPair(of('rehearsal'), of('before'), (a, b) => median(a) / median(b)),
          rounds,
        ),
        figureOf(
          'interrupt ÷ thread, p50',
          '×',
          bootstrapPair(of('interrupt'), of('thread'), (a, b) => median(a) / median(b)),
          rounds,
        ),
      ],
      caveats: [
        'A C program that sleeps 12 ms at a time on one CPU; another thread of it arms that CPU from the other one, 1 ms before each wakeup. No hostd.',
        'An interrupt makes the idle loop choose its state again, and leaves the tick stopped that a long sleep has stopped: the wakeup starts it. A thread that runs there has the idle loop begin anew. One that also sleeps there by a timer (hostd’s way) has run through what the wakeup runs through, so that it is cached: a CPU whose limit is set before its sleep polls, and can be colder.',
      ],
    };
  },
};
