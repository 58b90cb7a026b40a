import type { ChildProcess } from 'node:child_process';
import { listen } from './channels.ts';
import { deliver, signalled } from './deliver.ts';

/** A child's exit is a signal for the wait that started it: what is left is reading its pipes. */
export function listenToChildren(): () => void {
  return listen({
    child_process: ({ process: child }: { process: ChildProcess }) => {
      const scope = signalled();
      if (scope) child.once('exit', () => deliver(scope, 'child_exit'));
    },
  });
}
