import { readFile, writeFile } from 'node:fs/promises';
import { PrewakeError } from '@prewake/sdk/protocol';
import { Command, InvalidArgumentError } from 'commander';
import type { Coverage, Simulation } from '../policy/simulate/index.ts';
import { print, printJson, table } from './output.ts';

interface SimulateFlags {
  trace: string;
  armedShare: number;
  leadMs: number;
  windows?: string;
  json?: boolean;
}

/** `prewake simulate`: what the policy would have done on a recorded trace, beside what others would. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('run a recorded trace of waits through the policy, and say what it would have covered')
    .requiredOption('--trace <file>', 'CSV with the columns session,kind,key,start_ms,wait_ms,input_tokens')
    .requiredOption('--armed-share <part>', 'part of all wait time that may be armed, 0 to 1', part)
    .option('--lead-ms <ms>', 'how long a window must have been open at the wakeup', milliseconds, 1)
    .option('--windows <file>', 'write each window as wait,arm_ms,disarm_ms')
    .option('--json', 'print the summary as JSON')
    .action(async (flags: SimulateFlags) => {
      const { parseTrace, simulate } = await import('../policy/simulate/index.ts');
      const rows = parseTrace(await read(flags.trace), flags.trace);
      const lines: string[] = [];
      const options = { armedShare: flags.armedShare, leadUs: flags.leadMs * 1000 };
      const result = simulate(rows, options, (wait, arm, disarm) =>
        lines.push(`${wait},${millis(arm)},${disarm === Number.POSITIVE_INFINITY ? '' : millis(disarm)}\n`),
      );
      if (flags.windows !== undefined) await write(flags.windows, lines.join(''));
      if (flags.json) printJson(result);
      else print(simulationText(result));
    });
}

function simulationText({ trace, armedShare, leadMs, policies }: Simulation): string {
  const kinds = Object.keys(policies[0]?.summary.byKind ?? {});
  const of = (coverage: Coverage | undefined) => [
    percent(coverage?.coverage ?? null),
    percent(coverage?.armedShare ?? null),
  ];
  const heads = ['policy', 'covered', 'armed', ...kinds.flatMap((kind) => [`${kind} covered`, 'armed'])];
  const rows = policies.map(({ name, summary }) => [
    name,
    ...of(summary),
    ...kinds.flatMap((kind) => of(summary.byKind[kind])),
  ]);
  const { waits, sessions, waitMs } = trace;
  return [
    `${waits} waits in ${sessions} sessions, ${(waitMs / 1000).toFixed(0)} s of waiting`,
    `at most ${percent(armedShare)} of it armed, each window ${leadMs} ms before its wakeup or from the wait's start`,
    '',
    table(heads, rows, 'the trace has no waits'),
    '',
    ...policies.map(({ name, about }) => `${name}: ${about}`),
  ].join('\n');
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new PrewakeError('PREWAKE_USAGE', `--trace ${file} can't be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new PrewakeError('PREWAKE_USAGE', `--windows ${file} can't be written: ${why}`, { cause });
  }
}

function part(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

function milliseconds(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 10_000))
    throw new InvalidArgumentError('It must be a number from 0 to 10000.');
  return value;
}

/** Milliseconds to the microsecond. */
function millis(ms: number): string {
  return String(Math.round(ms * 1000) / 1000);
}

function percent(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(2)} %`;
}
