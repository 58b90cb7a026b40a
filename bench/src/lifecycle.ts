import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { HostdProcess } from './hostd-process.ts';
import { type Aim, type Bench, figureOf } from './result.ts';
import { resumeLimits, untilLimits } from './resume-limits.ts';
import { bootstrap, median } from './statistics.ts';
import { UNLIMITED_BUDGET } from './unlimited.ts';

const sessionEntry = fileURLToPath(new URL('./lone-session.js', import.meta.url));

/** Every wait is armed throughout, at once. */
const ARM_ALWAYS = `policy: { holdout: 0, armedShare: 1, startCreditMs: 3600000 }\n${UNLIMITED_BUDGET}`;
const PATIENCE_MS = 20_000;

const ACTS = ['start', 'client SIGKILL', 'hostd SIGKILL', 'hostd SIGSTOP'] as const;
type Act = (typeof ACTS)[number];

/** A session whose wait is armed, by what sysfs says. */
async function armedSession(hostd: HostdProcess, limits: readonly string[]): Promise<ChildProcess> {
  const client = spawn(process.execPath, [sessionEntry, hostd.socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(client.stdout, 'data', { signal: AbortSignal.timeout(PATIENCE_MS) });
  untilLimits(limits, 'different', PATIENCE_MS);
  return client;
}

/** Milliseconds from the act until every CPU’s limit reads what it read before anything. */
async function timeOf(act: Exclude<Act, 'start'>, hostd: HostdProcess, limits: readonly string[]) {
  const client = await armedSession(hostd, limits);
  try {
    const began = performance.now();
    if (act === 'client SIGKILL') client.kill('SIGKILL');
    else hostd.child.kill(act === 'hostd SIGKILL' ? 'SIGKILL' : 'SIGSTOP');
    return untilLimits(limits, 'same', PATIENCE_MS).at - began;
  } finally {
    client.kill('SIGKILL');
    if (act === 'hostd SIGSTOP') hostd.child.kill('SIGCONT');
  }
}

export const lifecycle: Bench = {
  name: 'lifecycle',
  title: 'starting, and letting go when a client or hostd dies',
  seconds: 120,
  async run({ quick, progress }) {
    const rounds = quick ? 1 : 20;
    const samples = new Map<Act, number[]>(ACTS.map((act) => [act, []]));
    const limits = resumeLimits();
    for (let round = 0; round < rounds; round++) {
      progress(`round ${round + 1} of ${rounds}`);
      for (const act of ACTS.slice(1) as Exclude<Act, 'start'>[]) {
        const began = performance.now();
        const hostd = await HostdProcess.startArming(ARM_ALWAYS);
        try {
          samples.get('start')?.push(hostd.readyAt - began);
          samples.get(act)?.push(await timeOf(act, hostd, limits));
        } finally {
          await hostd.stop();
        }
        // A guardian may outlive its hostd for a moment; the next round begins with nothing armed.
        untilLimits(limits, 'same', PATIENCE_MS);
      }
    }
    const figure = (act: Act, what: string, aim?: Aim) => {
      const all = samples.get(act) as number[];
      return figureOf(what, 'ms', bootstrap(all, median), all.length, aim);
    };
    return {
      name: lifecycle.name,
      title: lifecycle.title,
      figures: [
        figure('start', 'hostd started → answers, median', { limit: 300, direction: 'at most' }),
        figure('client SIGKILL', 'client killed → guards released, median'),
        figure('hostd SIGKILL', 'hostd killed → guards restored by the guardian, median', {
          limit: 1000,
          direction: 'at most',
        }),
        figure('hostd SIGSTOP', 'hostd stopped → guards restored by the guardian, median', {
          limit: 1000,
          direction: 'at most',
        }),
      ],
      caveats: [
        'Seen from outside: the CPUs’ limits are read from sysfs about every 0.2 ms, and an answer is asked for every 5 ms.',
        'The restored guards are the CPUs’ resume-latency limits; task controls are restored in the same go and not watched here.',
      ],
    };
  },
};
