import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../../examples/langchain-agent/src/main.ts', import.meta.url));

export interface AgentRun {
  /** What it printed: the answer, the steps and a digest of each tool's result, without times. */
  output: string;
  errors: string;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Runs the example agent to its end, however that comes. `env` is all of its environment. */
export function runAgent(args: readonly string[], env: NodeJS.ProcessEnv): Promise<AgentRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, '--json', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ output, errors, code, signal }));
  });
}
