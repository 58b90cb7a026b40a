import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { HostdProcess } from '@prewake/bench/hostd-process';
import { connect, tool } from '@prewake/sdk';
import { expect, it } from 'vitest';

it('a tool’s hint is with hostd while the tool still keeps the thread busy', async () => {
  const hostd = await HostdProcess.start('{}\n', ['--dry-run']);
  const session = connect({ socket: hostd.socket });
  try {
    expect(await session.ready(10_000)).toBe(true);
    const openWaits = await tool('look', async () => {
      // Starts a child and blocks until it is done: nothing that waits for a turn of the loop can leave meanwhile.
      const seen = execFileSync('curl', ['-s', '--unix-socket', hostd.socket, 'http://hostd/v1/status']);
      await promisify(execFile)('true');
      return (JSON.parse(seen.toString()) as { openWaits: number }).openWaits;
    });
    expect(openWaits).toBe(1);
  } finally {
    await session.shutdown();
    await hostd.stop();
  }
});
