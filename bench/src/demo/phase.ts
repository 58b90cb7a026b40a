import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { USER_CATEGORIES } from '@prewake/sdk/protocol';
import { HostdProcess } from '../hostd-process.ts';
import { type AgentRun, runAgent } from './agent-process.ts';
import { type IdleUsage, idleUsageSince, readIdleUsage } from './idle-usage.ts';
import { Recording, type StepRecord } from './record.ts';

/** Everything of one run of the agent. */
export interface Phase {
  guards: 'on' | 'off';
  seconds: number;
  /** What the agent printed with `--json`: the same bytes whatever Prewake does. */
  agentResult: string;
  steps: StepRecord[];
  spans: { total: number; withSlowpath: number; incomplete: number };
  budgetChanges: object[];
  foreignWriters: object[];
  idleUsage: IdleUsage[];
  status: Record<string, unknown>;
  capabilities: Record<string, unknown>;
  budgets: Record<string, unknown>;
  leasesLeft: number;
}

interface SpanLine {
  traceId?: string;
  spanId?: string;
  name?: string;
  attributes?: Record<string, unknown>;
}

export interface PhaseOptions {
  guards: 'on' | 'off';
  agentArgs: readonly string[];
  /** The agent asks the model that OPENAI_API_KEY pays for. */
  realModel: boolean;
  onProgress: (endedSteps: number) => void;
}

/** Guards off still records: hostd runs without guards, so that both runs are measured alike. */
const CONFIG = {
  on: '{}\n',
  off: 'guards: { idle: off, frequency: off, scheduler: off, timer: off }\n',
};

/** Starts a hostd of its own, runs the agent beside it, and collects what hostd and the agent's spans tell. */
export async function runPhase({ guards, agentArgs, realModel, onProgress }: PhaseOptions): Promise<Phase> {
  const directory = mkdtempSync(join(tmpdir(), 'prewake-demo-'));
  const spansFile = join(directory, 'spans.jsonl');
  const hostd = await HostdProcess.start(CONFIG[guards]);
  try {
    const recording = new Recording();
    await hostd.events((event) => {
      recording.add(event);
      if (event.type === 'step_end') onProgress(recording.endedSteps);
    });
    const idleBefore = readIdleUsage();
    const began = performance.now();
    const args = [...agentArgs, '--spans', spansFile];
    const env = { ...agentEnv(realModel), PREWAKE_SOCKET: hostd.socket };
    const agentResult = resultOf(await runAgent(args, env));
    const seconds = (performance.now() - began) / 1000;
    const idleUsage = idleUsageSince(idleBefore, readIdleUsage());
    const spans = existsSync(spansFile) ? readSpans(spansFile) : [];
    joinSpans(recording, spans);
    const leases = await hostd.get<{ leases: object[] }>('/v1/leases');
    return {
      guards,
      seconds,
      agentResult,
      steps: [...recording.steps.values()],
      spans: {
        total: spans.length,
        withSlowpath: spans.filter((span) => hasAttribute(span, 'prewake.slowpath.')).length,
        incomplete: spans.filter((span) => span.attributes?.['prewake.attribution.complete'] === false)
          .length,
      },
      budgetChanges: recording.budgetChanges,
      foreignWriters: recording.foreignWriters,
      idleUsage,
      status: await hostd.get('/v1/status'),
      capabilities: await hostd.get('/v1/capabilities'),
      budgets: await hostd.get('/v1/budgets'),
      leasesLeft: leases.leases.length,
    };
  } finally {
    await hostd.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A key that happens to be in the environment must not cost its owner money: it is passed on only when asked for. */
function agentEnv(realModel: boolean): NodeJS.ProcessEnv {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: url, ...others } = process.env;
  return realModel ? { ...others, OPENAI_API_KEY: key, OPENAI_BASE_URL: url } : others;
}

function resultOf({ output, errors, code, signal }: AgentRun): string {
  if (code === 0) return output.trim();
  throw new Error(`the agent ended with ${signal ?? `exit code ${code}`}:\n${errors.slice(-2000)}`);
}

function readSpans(file: string): SpanLine[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SpanLine);
}

const hasAttribute = (span: SpanLine, prefix: string): boolean =>
  Object.keys(span.attributes ?? {}).some((name) => name.startsWith(prefix));

/** A step's own id is on its span: the two name each other. What the SDK measured itself is there alone. */
function joinSpans(recording: Recording, spans: readonly SpanLine[]): void {
  for (const span of spans) {
    const step = recording.steps.get(String(span.attributes?.['prewake.step.id']));
    if (!step || !span.spanId) continue;
    step.spanId = span.spanId;
    for (const category of USER_CATEGORIES) {
      const ns = span.attributes?.[`prewake.slowpath.${category}.self_ns`];
      if (typeof ns === 'number') step.userSpace[category] = ns;
    }
    if (span.traceId) step.traceId = span.traceId;
  }
}
