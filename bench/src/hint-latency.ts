import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { type HostdEvent, HostdProcess } from './hostd-process.ts';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, bootstrapPair, median, quantile, samplesFor } from './statistics.ts';
import { IDLE_GUARD_ONLY, UNLIMITED_BUDGET } from './unlimited.ts';

/** As long as the wait itself: its window is due at once, and is not over when hostd is late. */
const LEAD_US = 200_000;

const sinkEntry = fileURLToPath(new URL('./line-sink.js', import.meta.url));

async function open(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

/** One bare line to another Node process, one way: it answers with the time at which it read it. */
async function bareLine(socket: Socket): Promise<number> {
  const at = monotonicMicros();
  socket.write(`{"type":"line","at":${at}}\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return Number(answer) - at;
}

/** A hint whose window is due at once, until hostd has written the guard, by hostd's own clock (the same clock). */
async function hint(socket: Socket, id: number, armed: () => Promise<HostdEvent>): Promise<number> {
  const step = id.toString(16).padStart(16, '0');
  const event = armed();
  const at = monotonicMicros();
  socket.write(
    `{"type":"step","id":"${step}","kind":"timer","key":"bench","at":${at},"report":false}\n` +
      `{"type":"wait","id":${id},"step":"${step}","kind":"timer","key":"bench","at":${at},"deadline":${at + LEAD_US}}\n`,
  );
  const written = Number((await event).at) - at;
  const end = monotonicMicros();
  socket.write(
    `{"type":"wait_end","id":${id},"at":${end},"cancelled":true}\n{"type":"step_end","id":"${step}","at":${end}}\n`,
  );
  return written;
}

export const hintLatency: Bench = {
  name: 'hint-latency',
  title: 'from a hint to the guard being written, against a bare line between two Node processes',
  seconds: 60,
  async run({ quick, progress }) {
    const samples = quick ? 100 : 2000;
    // Both ends compile first, hostd once its start is over (compile-early.ts).
    const first = quick ? 50 : 1500;
    const directory = mkdtempSync(join(tmpdir(), 'prewake-bench-'));
    const sinkPath = join(directory, 'sink.sock');
    const sink = spawn(process.execPath, [sinkEntry, sinkPath], { stdio: ['ignore', 'pipe', 'inherit'] });
    // All may be armed, no holdout, and a budget that never ends: what is measured is the way, not the decision.
    const hostd = await HostdProcess.startArming(
      `policy: { armedShare: 1, holdout: 0, activeWindowMs: 0, leadUs: ${LEAD_US} }\n${UNLIMITED_BUDGET}${IDLE_GUARD_ONLY}`,
    ).catch((error) => {
      sink.kill();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    });
    const lines: number[] = [];
    const hints: number[] = [];
    try {
      await once(sink.stdout, 'data');
      const bare = await open(sinkPath);
      const session = await open(hostd.socket);
      session.write(
        'GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\n\r\n',
      );
      session.resume();
      let onArmed: (event: HostdEvent) => void = () => {};
      await hostd.events((event) => {
        if (event.type === 'guard' && event.what === 'armed') onArmed(event);
      });
      const armed = () =>
        new Promise<HostdEvent>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('a hint armed nothing for 5 s')), 5000);
          onArmed = (event) => {
            clearTimeout(timer);
            resolve(event);
          };
        });
      for (let i = 1; i <= first + samples; i++) {
        if (i % 500 === 0) progress(`${i} of ${first + samples}`);
        await sleep(4 + (i % 5));
        const line = await bareLine(bare);
        await sleep(4 + (i % 3));
        const written = await hint(session, i, armed);
        if (i <= first) continue;
        lines.push(line);
        hints.push(written);
      }
      bare.destroy();
      session.destroy();
    } finally {
      sink.kill();
      await hostd.stop();
      rmSync(directory, { recursive: true, force: true });
    }
    const added = hints.map((us, i) => us - (lines[i] as number));
    const p99 = (all: readonly number[]) => quantile(all, 0.99);
    return {
      name: hintLatency.name,
      title: hintLatency.title,
      figures: [
        figureOf('bare line, one way, median', 'µs', bootstrap(lines, median), lines.length),
        figureOf('hint → guard written, median', 'µs', bootstrap(hints, median), hints.length),
        figureOf(
          'hint → guard written ÷ bare line, medians',
          '×',
          bootstrapPair(hints, lines, (a, b) => median(a) / median(b)),
          hints.length,
          { limit: 1.5, direction: 'at most' },
        ),
        ...(added.length < samplesFor(0.99)
          ? []
          : [
              figureOf('added to a bare line, p99 of pairs', 'µs', bootstrap(added, p99), added.length, {
                limit: 1000,
                direction: 'at most',
              }),
            ]),
      ],
      caveats: [
        'hostd records by its default, as it does for any session: from there it knows the CPU that is to be armed.',
        `${first} pairs before the first are not counted: both ends have compiled by then.`,
        'Each pair is a bare line and a hint a few milliseconds apart, both to a process that sleeps.',
        'hostd’s journal is on /dev/shm where there is one, as it is in /run, a tmpfs, where systemd runs.',
        'The end is when hostd has written the per-CPU limit. It then reads it back and kicks the CPU, whose own reaction is in `kick` and `effect`.',
      ],
    };
  },
};
