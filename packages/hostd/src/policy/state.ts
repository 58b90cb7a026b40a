import { PrewakeError } from '@prewake/sdk/protocol';
import type { SavedBenefit } from './plan/benefit.ts';
import { finite, restorePredictor, type SavedPredictor, savePredictor } from './predict/saved.ts';
import type { UserPolicy } from './user-policy.ts';

/** The format of {@link PolicyState}. Another version is not read. */
export const STATE_VERSION = 3;

/** Learned state as plain JSON, by uid: what was learned of one user's waits serves that user alone. */
export interface PolicyState {
  version: number;
  users: Record<string, UserState>;
}

interface UserState {
  logPrice: number | null;
  predictor: SavedPredictor;
  /** By class id. */
  extras: { id: number; benefit: SavedBenefit; cadence: [number, number]; sinceRetry: number }[];
}

/** The JSON of a {@link PolicyState}, each user's piece made when it is asked for. */
export function* stateText(users: Iterable<[number, UserPolicy]>): Generator<string> {
  let before = `{"version":${STATE_VERSION},"users":{`;
  for (const [uid, user] of users) {
    yield `${before}"${uid}":${JSON.stringify(userState(user))}`;
    before = ',';
  }
  yield before === ',' ? '}}' : `${before}}}`;
}

function userState(user: UserPolicy): UserState {
  return {
    logPrice: user.price.save(),
    predictor: savePredictor(user.predictor),
    extras: [...user.extras.entries()].map(([id, { benefit, cadence, sinceRetry }]) => ({
      id,
      benefit: benefit.save(),
      cadence: [cadence.logGap, cadence.gaps],
      sinceRetry,
    })),
  };
}

/**
 * @throws PrewakeError PREWAKE_STATE_VERSION: of another version; PREWAKE_STATE_CORRUPT: not a state. The file is
 * to be set aside.
 */
export function readState(state: unknown, create: () => UserPolicy): [number, UserPolicy][] {
  const version = typeof state === 'object' && state !== null ? (state as PolicyState).version : undefined;
  if (typeof version === 'number' && version !== STATE_VERSION) {
    throw new PrewakeError(
      'PREWAKE_STATE_VERSION',
      `learned state is of version ${version}, this is version ${STATE_VERSION}`,
    );
  }
  try {
    return Object.entries((state as PolicyState).users).map(([uid, saved]) => [
      readUid(uid),
      readUser(saved, create()),
    ]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PrewakeError('PREWAKE_STATE_CORRUPT', `learned state can't be read: ${why}`, { cause });
  }
}

function readUid(uid: string): number {
  if (!/^\d{1,10}$/.test(uid)) throw new RangeError(`${uid} is no uid`);
  return Number(uid);
}

function readUser(saved: UserState, user: UserPolicy): UserPolicy {
  restorePredictor(user.predictor, saved.predictor);
  user.price.restore(saved.logPrice === null ? null : finite(saved.logPrice));
  for (const { id, benefit, cadence, sinceRetry } of saved.extras) {
    const extras = user.extrasOf(finite(id));
    extras.benefit.restore(benefit);
    extras.cadence.logGap = finite(cadence[0]);
    extras.cadence.gaps = finite(cadence[1]);
    extras.sinceRetry = finite(sinceRetry);
    user.weigh(extras);
  }
  // Again, now that the mean of all classes is known.
  for (const extras of user.extras.values()) user.weigh(extras);
  return user;
}
