import { parseArgs } from 'node:util';

export interface Options {
  steps: number;
  seed: number;
  speed: number;
  model: string;
  root: string | undefined;
  json: boolean;
  spans: string | undefined;
  progress: boolean;
  help: boolean;
}

export const USAGE = `Usage: node src/main.ts [options]

A LangChain agent studies the source of @langchain/core with four tools (search files, read files, run a
program, query SQLite). Its model is a local server that streams and replays measured latencies, or a real
one: set OPENAI_API_KEY, and OPENAI_BASE_URL where it is not OpenAI's own.

  --steps N     model and tool calls to make, at least (default 64)
  --speed F     divides the model's latencies: 1 is as measured (default 1; 64 steps then take about 30 s)
  --seed N      chooses the latencies that are replayed (default 1)
  --model NAME  with the local server, one of the measured services (default together/llama-2-70b-chat);
                with OPENAI_API_KEY, the service's name for its model (default gpt-4o-mini)
  --root DIR    the source tree to study (default: the installed @langchain/core)
  --json        print the result as one line of JSON: the answer, the steps, a digest of each tool's result.
                It has no times in it: two runs with the same options print the same bytes
  --spans FILE  append every finished span to FILE, one JSON object a line
  --progress    print the number of steps so far on stderr, one line each time that it grows
  --help        print this

OTEL_EXPORTER_OTLP_ENDPOINT and its relatives send the spans to any OpenTelemetry backend.
PREWAKE_SOCKET names hostd's socket; without hostd the agent runs just the same. PREWAKE_DISABLED=1 switches
Prewake off.`;

/** Reads the command line. Throws an Error with one line that says which option is wrong and what is allowed. */
export function readOptions(argv: string[], env: NodeJS.ProcessEnv = process.env): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      steps: { type: 'string', default: '64' },
      seed: { type: 'string', default: '1' },
      speed: { type: 'string', default: '1' },
      model: { type: 'string', default: env.OPENAI_API_KEY ? 'gpt-4o-mini' : 'together/llama-2-70b-chat' },
      root: { type: 'string' },
      json: { type: 'boolean', default: false },
      spans: { type: 'string' },
      progress: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    ...values,
    root: values.root,
    spans: values.spans,
    steps: within('--steps', values.steps, 1, 10_000, Number.isInteger),
    seed: within('--seed', values.seed, 0, 2 ** 31, Number.isInteger),
    speed: within('--speed', values.speed, 0.01, 10_000, Number.isFinite),
  };
}

function within(
  name: string,
  text: string,
  min: number,
  max: number,
  is: (value: number) => boolean,
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (is(value) && value >= min && value <= max) return value;
  const kind = is(1.5) ? 'a number' : 'an integer';
  throw new Error(`${name}: ${text} is not ${kind} from ${min} to ${max}`);
}
