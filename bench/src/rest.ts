import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HostdProcess } from './hostd-process.ts';
import { switchCounter } from './process-facts.ts';
import type { Aim, Bench, Figure } from './result.ts';

const sessionEntry = fileURLToPath(new URL('./lone-session.js', import.meta.url));
const DETACH_MS = 1000;
const AIM: Aim = { limit: 0.1, direction: 'at most' };

interface Status {
  guardianPid?: number;
  recorder: { source: string; attached: boolean };
}

/** Connects a session that takes a step with a report and a wait, and goes. */
async function visit(hostd: HostdProcess): Promise<void> {
  const client = spawn(process.execPath, [sessionEntry, hostd.socket, 'steps'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(client.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
    await sleep(500); // Its report.
  } finally {
    client.kill('SIGKILL');
  }
}

export const rest: Bench = {
  name: 'rest',
  title: 'hostd at rest',
  seconds: 150,
  async run({ quick, progress }) {
    const seconds = quick ? 3 : 60;
    const hostd = await HostdProcess.start(`recorder: { detachAfterMs: ${DETACH_MS} }\n`);
    try {
      const look = async (): Promise<{ status: Status; perSecond: number }> => {
        const status = await hostd.get<Status>('/v1/status');
        const pids = [hostd.pid, ...(status.guardianPid ? [status.guardianPid] : [])];
        await sleep(quick ? 1000 : 10_000); // The question itself has woken it.
        const switches = switchCounter(pids);
        await sleep(seconds * 1000);
        return { status, perSecond: switches() / seconds };
      };
      progress('after its start');
      const fresh = await look();
      progress('after a session');
      await visit(hostd);
      await sleep(DETACH_MS + 2000);
      const after = await look();
      if (after.status.recorder.attached) throw new Error('the recorder did not detach after the session');
      const figure = (what: string, value: number): Figure => ({
        what: `context switches of all threads of hostd and guardian, ${what}`,
        unit: 'a second',
        value,
        samples: seconds,
        aim: AIM,
      });
      return {
        name: rest.name,
        title: rest.title,
        figures: [
          figure('after its start', fresh.perSecond),
          figure('after a session has come and gone', after.perSecond),
        ],
        caveats: [
          `${seconds} s each, voluntary and involuntary switches, from /proc/PID/task/TID/status; samples are seconds.`,
          `Recorder: ${after.status.recorder.source}, detached ${DETACH_MS / 1000} s after the session (by default 10 s).`,
          'Ten seconds between the last question to hostd and the count are not in it.',
        ],
      };
    } finally {
      await hostd.stop();
    }
  },
};
