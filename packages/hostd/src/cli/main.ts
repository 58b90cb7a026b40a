import { PrewakeError } from '@prewake/sdk/protocol';
import { CommanderError } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { createProgram } from './program.ts';

/** Runs one command line. An error is one line on stderr and an exit code; stdout has the answer and nothing else. */
export async function main(args: readonly string[]): Promise<void> {
  // `prewake … | head` ends the reader first.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  // A hostd whose log nobody reads any more goes on.
  process.stderr.on('error', () => {});
  try {
    await createProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    // Not only exitCode: a hostd that could not start whole must not go on in part.
    process.exit(report(error));
  }
}

function report(error: unknown): number {
  // commander has printed its own: help, the version, or what is wrong with the command line.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof PrewakeError)
    process.stderr.write(`prewake: ${error.message.replaceAll('\n', ' ')} (${error.code})\n`);
  else process.stderr.write(`prewake: this should not happen: ${(error as Error)?.stack ?? error}\n`);
  return exitCodeOf(error);
}
