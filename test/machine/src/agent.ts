import { type AgentRun, runAgent as run } from '@prewake/bench/demo/agent-process';

/** Runs the example agent to its end, in this process's environment and what is added to it. */
export function runAgent(args: readonly string[], added: NodeJS.ProcessEnv): Promise<AgentRun> {
  return run(args, { ...process.env, ...added });
}
