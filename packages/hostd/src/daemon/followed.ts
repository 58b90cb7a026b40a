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
    const { recorder, attribution, deadlines, now, log } = this.#options;
    deadlines.cancel(this.#detach);
    this.#detach = undefined;
    if (!recorder.attached) {
      try {
        recorder.attach();
        attribution.recorderAttached(recorder.attachedAt, recorder.known);
      } catch (error) {
        log(`the recorder could not be attached: ${(error as Error).message}`, 'warn');
      }
    }
    recorder.track(session.peer.pid);
    const identity = {
      id: session.id,
      tgid: session.peer.pid,
      thread: (theirs: number | undefined) => session.task(theirs).tid,
      ...session.payer,
    };
    attribution.sessionStarted(identity, now() * 1000);
  }

  ended(session: Session): void {
    const { sessions, recorder, attribution, deadlines, now, detachAfterMs, onQuiet } = this.#options;
    if (sessions.ofProcess(session.peer.pid) === 0) recorder.untrack(session.peer.pid);
    if (sessions.size > 0) return;
    this.#detach = deadlines.at(now() + detachAfterMs * 1000, () => {
      recorder.detach();
      attribution.recorderDetached(now() * 1000);
      onQuiet();
    });
  }
}
