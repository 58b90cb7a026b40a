import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
// @ts-expect-error TS2878: the path is wrong among the compiled files; tests run from source.
import { TestHostd, until } from '../../../packages/sdk/src/hostd.testkit.ts';
import { documents, snippets } from './documents.ts';

const streaming = documents()
  .flatMap(snippets)
  .filter(({ language, code }) => language === 'ts' && code.includes('stream: true'));

it.each(streaming)('the stream of $path:$line is announced to its end', async ({ code }) => {
  // Each chunk comes when hostd has heard of what came before, or that the wait is over.
  const heard: Record<string, () => void> = {};
  const model = createServer((request, response) => {
    if (request.url?.startsWith('/?q=')) return void response.end('found');
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    heard.headers = () => response.write('data: 1\n\n');
    heard.first_token = heard.end = () => response.end('data: 2\n\n');
  });
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
  const hostd = await new TestHostd().listen();
  const report = hostd.answer;
  const waits: number[] = [];
  hostd.answer = (frame, send) => {
    report(frame, send);
    if (frame.type === 'wait' && frame.stream) waits.push(frame.id);
    if (frame.type === 'signal' && waits.includes(frame.wait)) heard[frame.signal]?.();
    if (frame.type === 'wait_end' && waits.includes(frame.id)) heard.end?.();
  };
  try {
    const { port } = model.address() as AddressInfo;
    const script = code.replaceAll(/https:\/\/\w+\.example/g, `http://127.0.0.1:${port}`);
    const env = { ...process.env, PREWAKE_SOCKET: hostd.socketPath };
    const cwd = new URL('..', import.meta.url);
    // `connect()` returns before the session: what is said meanwhile is kept for it.
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env,
      cwd,
      stdio: 'inherit',
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
    const [wait] = waits;
    expect(waits).toHaveLength(1);
    await until('the end of the wait', () => hostd.of('wait_end').some(({ id }) => id === wait));
    const ofWait = hostd.frames.flatMap((frame) => {
      if (frame.type === 'signal' && frame.wait === wait) return frame.signal;
      return frame.type === 'wait_end' && frame.id === wait ? 'end' : [];
    });
    expect(ofWait.slice(0, 3)).toEqual(['request_sent', 'headers', 'first_token']);
    expect(ofWait.at(-1)).toBe('end');
  } finally {
    await hostd.remove();
    model.closeAllConnections();
    await new Promise((resolve) => model.close(resolve));
  }
});

it('there are such examples', () => expect(streaming.length).toBeGreaterThanOrEqual(2));
