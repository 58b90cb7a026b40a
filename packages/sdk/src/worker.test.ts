import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { TestHostd, until } from './hostd.testkit.ts';
import { connect, shutdown, step, wait } from './index.ts';

it('a worker has a session of its own and says on which thread it runs', async () => {
  const hostd = await new TestHostd().listen();
  const index = JSON.stringify(new URL('./index.js', import.meta.url.replace('/src/', '/dist/')).href);
  const script = `
    import { connect, shutdown, step, wait } from ${index};
    if (!(await connect({ socket: ${JSON.stringify(hostd.socketPath)} }).ready(20_000))) throw new Error('no session');
    await step('worker', () => wait(new Promise((resolve) => setTimeout(resolve, 1))));
    await shutdown();
  `;
  try {
    expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    await step('main', () => wait(Promise.resolve()));
    await until('both', () => hostd.of('step_end').length === 2);
    expect(hostd.sessions).toBe(2);
    const threads = Object.fromEntries(hostd.of('step').map((frame) => [frame.key, frame.thread]));
    expect(threads.main).toBeUndefined();
    expect(threads.worker).toBeGreaterThan(0);
    expect(threads.worker).not.toBe(process.pid);
    for (const frame of hostd.of('wait')) expect(frame.thread).toBe(hostd.step(frame.step)?.thread);
  } finally {
    await shutdown();
    await hostd.remove();
  }
});
