import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as undici from 'undici';
import { Agent, request } from 'undici';
import * as undici6 from 'undici-6';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHostd, until } from '../hostd.testkit.ts';
import { connect, interceptor, shutdown, step, tool, wait } from '../index.ts';

let hostd: TestHostd;
let server: Server;
let url: string;

beforeEach(async () => {
  server = createServer((req, res) => {
    const path = req.url ?? '';
    if (path.startsWith('/busy')) res.writeHead(429, { 'retry-after': '7' }).end();
    else if (path.startsWith('/stream')) {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      let left = 4;
      const next = () => {
        res.write(`data: ${left}\n\n`);
        if (--left > 0) setTimeout(next, 15);
        else res.end();
      };
      next();
    } else res.end(path);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hostd = await new TestHostd().listen();
  expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
});

afterEach(async () => {
  await shutdown();
  await hostd.remove();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(hostd.errors).toEqual([]);
});

/** Signal names of each wait, by the step's key. */
function heard(): Record<string, string[]> {
  const names: Record<string, string[]> = {};
  for (const waited of hostd.of('wait')) {
    const key = hostd.step(waited.step)?.key ?? '';
    const own = hostd.of('signal').filter((frame) => frame.wait === waited.id);
    names[key] = [...(names[key] ?? []), ...own.map((frame) => frame.signal)];
  }
  return names;
}

const all = async (count: number) => {
  await until('all step ends', () => hostd.of('step_end').length === count);
};

it('Node’s own fetch gives the request’s facts to its wait', async () => {
  const text = await step({ kind: 'llm', key: 'm' }, () =>
    wait(async () => (await fetch(`${url}/stream`)).text(), { stream: true }),
  );
  expect(text.match(/data/g)).toHaveLength(4);
  await all(1);
  const names = heard().m ?? [];
  expect(names.slice(0, 3)).toEqual(['request_sent', 'headers', 'first_token']);
  // How many chunks TCP makes of four writes is not ours to say.
  expect(new Set(names.slice(3))).toEqual(new Set(['token']));
});

it('a wait for a promise hears of the request that was made before it', async () => {
  await step({ kind: 'http', key: 'promised' }, async () => {
    const answer = fetch(`${url}/plain`);
    expect((await wait(answer)).status).toBe(200);
  });
  await all(1);
  expect(heard().promised).toContain('headers');
});

it('Retry-After is a new known end', async () => {
  await step({ kind: 'http', key: 'busy' }, () => wait(() => fetch(`${url}/busy`)));
  await all(1);
  const headers = hostd.of('signal').find((frame) => frame.signal === 'headers');
  expect(((headers?.deadline ?? 0) - (headers?.at ?? 0)) / 1e6).toBeCloseTo(7, 3);
});

it('on reused sockets every request finds its own wait', async () => {
  const agent = new Agent({ connections: 1, pipelining: 1 });
  try {
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        ['a', 'b', 'c'].map((name) =>
          step({ kind: 'http', key: `${name}${round}` }, () =>
            wait(async () => (await request(`${url}/${name}`, { dispatcher: agent })).body.text()),
          ),
        ),
      );
    }
    await all(9);
    for (const [key, names] of Object.entries(heard())) {
      expect([key, names]).toEqual([key, ['request_sent', 'headers', 'progress']]);
    }
  } finally {
    await agent.close();
  }
});

// Version 6 has handlers of another kind, and says nothing of chunks on its channels.
it.each([
  ['8', undici],
  ['6', undici6 as unknown as typeof undici],
])(
  'the interceptor gives the same facts with undici %s, and they are not counted twice',
  async (_, { Agent, request }) => {
    const agent = new Agent();
    const composed = agent.compose(interceptor());
    try {
      await step({ kind: 'http', key: 'composed' }, () =>
        wait(async () => (await request(`${url}/x`, { dispatcher: composed })).body.text()),
      );
      expect(await (await request(`${url}/outside`, { dispatcher: composed })).body.text()).toBe('/outside');
      await all(1);
      expect(heard().composed).toEqual(['request_sent', 'headers', 'progress']);
    } finally {
      await agent.close();
    }
  },
);

it('node:http’s client gives sent and headers', async () => {
  await step({ kind: 'http', key: 'old' }, () =>
    wait(async () => {
      const [response] = await once(get(`${url}/x`), 'response');
      response.resume();
      await once(response, 'end');
    }),
  );
  await all(1);
  expect(heard().old).toEqual(['request_sent', 'headers']);
});

it('a child’s exit is a signal for the tool that started it', async () => {
  await tool('Bash', async () => {
    await once(spawn('true', { stdio: 'ignore' }), 'exit');
    await new Promise((resolve) => execFile('true', resolve));
  });
  await once(spawn('true', { stdio: 'ignore' }), 'exit');
  await all(1);
  expect(heard().Bash).toEqual(['child_exit', 'child_exit']);
});
