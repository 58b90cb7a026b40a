import { expect, it } from 'vitest';
import { openRecorder } from '../kernel/bpf/index.ts';
import { missingPrivilege } from '../kernel/bpf/privilege.ts';
import { withDescriptors } from '../kernel/limits.testkit.ts';
import { Deadlines } from '../session/deadlines.ts';
import type { Session } from '../session/session.ts';
import { Sessions } from '../session/sessions.ts';
import { A, end, step } from '../slowpath/attribution.testkit.ts';
import { Attribution } from '../slowpath/attribution.ts';
import { Followed } from './followed.ts';

const missing = missingPrivilege();

it.skipIf(missing !== undefined)(
  `goes on where no descriptors are left, says so, and tells nothing of what it could not follow${missing ? ` (${missing})` : ''}`,
  () => {
    const recorder = openRecorder({ sources: ['bpf'] });
    const attribution = new Attribution();
    const sessions = new Sessions();
    const clock = { now: 1000 };
    const now = () => clock.now;
    let fire = () => {};
    const deadlines = new Deadlines(now, (due) => {
      fire = due;
      return { set: () => {}, clear: () => {}, close: () => {} };
    });
    const said: string[] = [];
    let quiet = 0;
    const followed = new Followed({
      ...{ sessions, recorder, attribution, deadlines, now },
      detachAfterMs: 0,
      log: (line) => said.push(line.replace(/:.*/, '')),
      onQuiet: () => quiet++,
    });
    const { pid } = process;
    const session = (id: string) =>
      ({
        id,
        peer: { pid, uid: 0 },
        payer: { user: 0, cgroup: '/' },
        task: () => ({ tid: pid }),
      }) as unknown as Session;
    const whole = (id: string) => {
      attribution.frame(id, step(A, 2000));
      attribution.frame(id, end(A, 3000));
      let why: string | undefined;
      const report = (_: string, found: { incomplete?: string | undefined }) => {
        why = found.incomplete;
      };
      attribution.findings(1e12, { report, wakeupCost: () => {} });
      return why;
    };
    try {
      const first = session('s1');
      sessions.add(first);
      withDescriptors(3, () => followed.started(first));
      expect(recorder.attached).toBe(false);
      expect(said.splice(0)).toEqual(['the recorder could not be attached']);
      expect(whole('s1')).toBe('recorder_off');
      sessions.remove(first);
      followed.ended(first);
      attribution.sessionEnded('s1');

      const second = session('s2');
      sessions.add(second);
      // Attached for the sake of another.
      recorder.attach();
      attribution.recorderAttached(recorder.attachedAt, recorder.known);
      withDescriptors(3, () => followed.started(second));
      expect(said.splice(0)).toEqual([`process ${pid} cannot be followed`]);
      expect(whole('s2')).toBe('recorder_late');
      sessions.remove(second);
      withDescriptors(3, () => followed.ended(second));
      expect(said.splice(0)).toEqual([`process ${pid} is followed until it ends`]);
      clock.now += 1;
      withDescriptors(3, fire);
      expect(said).toEqual(['the recorder was not detached in order']);
      expect([recorder.attached, quiet]).toEqual([false, 1]);
    } finally {
      recorder.close();
    }
  },
);
