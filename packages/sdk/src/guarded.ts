import { sayOnce } from './session/say-once.ts';

/**
 * Runs our own work. Whatever it throws (a sampler or span processor of the application, a bug of ours) must not
 * reach the agent, and in a hook or a timer it would end the process. It is said once.
 */
export function guarded<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    sayOnce('PREWAKE_INTERNAL', `Prewake went on after an error of its own: ${message}`);
    return undefined;
  }
}
