import type { Micros } from '@prewake/sdk/protocol';
import type { Recorder } from '../kernel/recorder.ts';
import type { Deadline, Deadlines } from '../session/deadlines.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import type { Attribution } from '../slowpath/attribution.ts';

export interface FollowedOptions {
  sessions: Sessions;
  recorder: Recorder;
  attribution: Attribution;
  deadlines: Deadlines;
  now: () => Micros;
  /** How long programs stay attached after the last session. */
  detachAfterMs: number;
  log: (line: string, level?: 'warn') => void;
  /** Nobody is connected any more, and nothing is recorded. */
  onQuiet: () => void;
}

/** Attaches the recorder with the first session, follows each session's process, and detaches after the last. */
export class Followed {
  readonly #options: FollowedOptions;
  #detach: Deadline | undefined;

  constructor(options: FollowedOptions) {
    this.#options = options;
  }

  started(session: Session): void {
    const { recorder, attribution, deadlines, now } = this.#options;
    deadlines.cancel(this.#detach);
    this.#detach = undefined;
    if (!recorder.attached) {
      this.#attempt('the recorder could not be attached', () => {
        recorder.attach();
        attribution.recorderAttached(recorder.attachedAt, recorder.known);
      });
    }
    const { pid, startTime } = session.peer;
    const tracked = this.#attempt(`process ${pid} cannot be followed`, () => recorder.track(pid, startTime));
    const identity = {
      id: session.id,
      tgid: pid,
      thread: (theirs: number | undefined) => session.task(theirs).tid,
      ...session.payer,
    };
    attribution.sessionStarted(identity, tracked ? now() * 1000 : Number.POSITIVE_INFINITY);
  }

  ended(session: Session): void {
    const { sessions, recorder, attribution, deadlines, now, detachAfterMs, onQuiet } = this.#options;
    const { pid } = session.peer;
    if (sessions.ofProcess(pid) === 0)
      this.#attempt(`process ${pid} is followed until it ends`, () => recorder.untrack(pid));
    if (sessions.size > 0) return;
    this.#detach = deadlines.at(now() + detachAfterMs * 1000, () => {
      this.#attempt('the recorder was not detached in order', () => recorder.detach());
      attribution.recorderDetached(now() * 1000);
      onQuiet();
    });
  }

  /** Nothing here is worth hostd's end: a process has no descriptors left now and then. */
  #attempt(failed: string, run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.#options.log(`${failed}: ${(error as Error).message}`, 'warn');
      return false;
    }
  }
}
