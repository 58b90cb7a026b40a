import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The `prewake` script. */
export const launcher = fileURLToPath(new URL('../bin/prewake', import.meta.url));

/** The flags that the script's first line gives to Node, for whoever starts it with a Node of their own. */
export function launcherFlags(): string[] {
  const [first = ''] = readFileSync(launcher, 'utf8').split('\n', 1);
  return first.split(' ').filter((word) => word.startsWith('--'));
}
