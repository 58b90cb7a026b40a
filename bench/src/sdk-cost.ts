import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HostdProcess } from './hostd-process.ts';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, median } from './statistics.ts';

const loop = fileURLToPath(new URL('./sdk-cost-loop.js', import.meta.url));

const VARIANTS = ['none', 'bare', 'span', 'prewake-span', 'hostd', 'hostd-span'] as const;
type Variant = (typeof VARIANTS)[number];

/** Nanoseconds a step in a process of its own: what one variant switches on must not slow the next. */
function measure(variant: Variant, steps: number, socket: string): number {
  const child = spawnSync(process.execPath, ['--expose-gc', loop, variant, String(steps)], {
    encoding: 'utf8',
    env: { ...process.env, PREWAKE_SOCKET: variant.startsWith('hostd') ? socket : '/nowhere/hostd.sock' },
  });
  const ns = Number(child.stdout);
  if (child.status !== 0 || !Number.isFinite(ns)) throw new Error(`${variant}: ${child.stderr}`);
  return ns;
}

export const sdkCost: Bench = {
  name: 'sdk-cost',
  title: 'what step() + wait() cost the agent’s thread',
  seconds: 120,
  async run({ quick, progress }) {
    const rounds = quick ? 2 : 20;
    const steps = quick ? 2000 : 30_000;
    const hostd = await HostdProcess.start('{}\n', ['--dry-run']);
    const rows = new Map<Variant, number[]>(VARIANTS.map((variant) => [variant, []]));
    try {
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}`);
        // In turn backwards and forwards, so that a drift of the machine falls on all alike.
        for (const variant of round % 2 ? [...VARIANTS].reverse() : VARIANTS)
          rows.get(variant)?.push(measure(variant, steps, hostd.socket));
      }
    } finally {
      await hostd.stop();
    }
    const of = (variant: Variant) => rows.get(variant) as number[];
    const added = (variant: Variant, base: Variant) =>
      of(variant).map((ns, round) => (ns - (of(base)[round] as number)) / 1000);
    const ratio = (variant: Variant, base: Variant) =>
      of(variant).map((ns, round) => ns / (of(base)[round] as number));
    const us = (what: string, samples: number[], limit?: number) =>
      figureOf(
        what,
        'µs a step',
        bootstrap(samples, median),
        samples.length,
        limit === undefined ? undefined : { limit, direction: 'at most' },
      );
    const times = (what: string, samples: number[]) =>
      figureOf(what, '×', bootstrap(samples, median), samples.length);
    return {
      name: sdkCost.name,
      title: sdkCost.title,
      figures: [
        us('no hostd, no span: added to the bare loop', added('bare', 'none'), 2),
        us('plain OpenTelemetry span: added to the bare loop', added('span', 'none')),
        us('Prewake’s span, no hostd: added to the bare loop', added('prewake-span', 'none')),
        us('hostd, no span: added to the bare loop', added('hostd', 'none')),
        us('hostd and Prewake’s span: added to the bare loop', added('hostd-span', 'none')),
        times('Prewake’s span, no hostd ÷ plain span', ratio('prewake-span', 'span')),
        times('hostd and Prewake’s span ÷ plain span', ratio('hostd-span', 'span')),
      ],
      caveats: [
        `${rounds} paired rounds of ${steps} steps, each variant in a process of its own; a sample is one round.`,
        'The loop awaits an immediate promise in each wait: it has no wakeups. What is measured is the agent’s CPU time, not latency.',
        'Steps follow each other without a pause, so writes to hostd coalesce: a lone step pays for a write of its own.',
      ],
    };
  },
};
