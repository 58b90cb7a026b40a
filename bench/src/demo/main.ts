import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Phase, runPhase } from './phase.ts';
import { renderComparison, renderPhase } from './render.ts';
import { compare, summarize } from './summary.ts';

const USAGE = `Usage: npm run demo [-- options]

Starts a hostd of its own, runs examples/langchain-agent beside it with guards on, then with guards off, and
prints what each kind of step waited and paid, and the two side by side.

  --json FILE   write everything: steps with span ids, waits, windows, slowpaths; budget; capabilities
  --steps N     model and tool calls of the agent, at least (default 64)
  --speed F     divides the model's latencies (default 1: as measured)
  --real-model  ask the model that OPENAI_API_KEY (and OPENAI_BASE_URL) name, which may cost money; without it
                the model is a server of our own, whatever the environment says
  --seed N      chooses the latencies that are replayed (default 1)
  --help        print this

OTEL_EXPORTER_OTLP_ENDPOINT and its relatives send the agent's spans to any OpenTelemetry backend.`;

interface Options {
  json: string | undefined;
  agentArgs: string[];
  realModel: boolean;
}

function readOptions(argv: string[]): Options | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'string' },
      steps: { type: 'string', default: '64' },
      speed: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      'real-model': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (values['real-model'] && !process.env.OPENAI_API_KEY)
    throw new Error('--real-model: OPENAI_API_KEY is not set');
  return {
    json: values.json,
    realModel: values['real-model'],
    agentArgs: ['--steps', values.steps, '--speed', values.speed, '--seed', values.seed],
  };
}

/** A line that rewrites itself on a terminal, and speaks up now and then elsewhere. */
function progress(title: string): { update(ended: number): void; done(seconds: number): void } {
  const began = Date.now();
  let said = 0;
  const line = (ended: number) => `${title}: ${ended} steps, ${Math.round((Date.now() - began) / 1000)} s`;
  return {
    update(ended) {
      if (process.stderr.isTTY) process.stderr.write(`\r${line(ended)} `);
      else if (Date.now() - said > 5000) process.stderr.write(`${line(ended)}\n`);
      else return;
      said = Date.now();
    },
    done(seconds) {
      process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${title}: done in ${seconds.toFixed(1)} s\n`);
    },
  };
}

async function demo(options: Options): Promise<void> {
  const phases: Phase[] = [];
  for (const guards of ['on', 'off'] as const) {
    const shown = progress(`agent with guards ${guards}`);
    const phase = await runPhase({ guards, ...options, onProgress: shown.update });
    shown.done(phase.seconds);
    phases.push(phase);
  }
  const [on, off] = phases as [Phase, Phase];
  const comparisons = compare(on.steps, off.steps);
  const sameResult = on.agentResult === off.agentResult;
  const summaries = phases.map((phase) => summarize(phase.steps));
  console.log(`\n${renderPhase(on, summaries[0] ?? [])}\n`);
  console.log(`${renderPhase(off, summaries[1] ?? [])}\n`);
  console.log(renderComparison(comparisons, sameResult, options.realModel));
  if (options.json) {
    const report = {
      date: new Date().toISOString(),
      phases: phases.map((phase, index) => ({ ...phase, summary: summaries[index] })),
      comparisons,
      sameResult,
    };
    writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
    console.log(`\nEverything is in ${options.json}.`);
  }
  if (!sameResult && !options.realModel) process.exitCode = 1;
}

let options: Options | undefined;
try {
  options = readOptions(process.argv.slice(2));
  if (!options) console.log(USAGE);
} catch (error) {
  console.error(`${(error as Error).message}; --help lists the options`);
  process.exitCode = 2;
}
if (options) await demo(options);
