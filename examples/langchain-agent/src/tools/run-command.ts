import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tool } from 'langchain';
import { z } from 'zod';

const run = promisify(execFile);

/** Only what reads: a model must not get a shell. */
const PROGRAMS = ['wc', 'grep', 'sort', 'head', 'tail', 'cksum', 'du'] as const;

/** Runs a program as a child process in `root`, without a shell. A failing exit code is an answer, not an error. */
export function runCommand(root: string) {
  return tool(
    async ({ program, args }) => {
      const env = { PATH: process.env.PATH, LC_ALL: 'C' };
      const running = run(program, args, { cwd: root, env, timeout: 10_000 });
      // A program that is given no file reads its stdin: let it find the end of it.
      running.child.stdin?.end();
      const { exitCode, stdout, stderr } = await running
        .then((output) => ({ exitCode: 0, ...output }))
        .catch((error) => {
          if (typeof error.code !== 'number') throw error;
          return { exitCode: error.code, stdout: error.stdout, stderr: error.stderr };
        });
      return JSON.stringify({ exitCode, stdout: stdout.slice(0, 4000), stderr: stderr.slice(0, 1000) });
    },
    {
      name: 'run_command',
      description: `Runs one of ${PROGRAMS.join(', ')} in the source directory.`,
      schema: z.object({ program: z.enum(PROGRAMS), args: z.array(z.string()).max(20) }),
    },
  );
}
