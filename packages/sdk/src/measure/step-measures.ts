import type { Micros } from '../protocol/index.ts';
import type { LocalMeasures } from './local-measures.ts';

/** What the SDK itself measures for one step. Undefined and false say: not known. */
export interface StepMeasures {
  /** Counters of lost frames and unfollowed requests when the step began. */
  readonly lossesBefore: number;
  /** The event loop was followed since the step began. */
  readonly loopFollowed: boolean;
  /** Queueing on the event loop, an upper bound, and until when it has been counted. */
  eventLoop: Micros;
  queuedUntil: Micros;
  gc: Micros;
  /** False after a pause that may have been anybody's. */
  gcKnown: boolean;
  /** Where hostd does not follow the step. */
  local: LocalMeasures | undefined;
}
