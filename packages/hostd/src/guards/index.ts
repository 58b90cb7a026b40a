export { buildGuards, type GuardSet } from './build-guards.ts';
export { chooseGuards, type GuardChoice, type GuardConfig } from './choose.ts';
export { type GuardClock, systemClock } from './clock.ts';
export {
  createGuardController,
  type GuardControllerOptions,
  type MachineGuards,
  startGuardController,
} from './create.ts';
export type * from './guard.ts';
export { type GuardianOptions, runGuardian } from './guardian.ts';
export { type RestoreOptions, type RestoreReport, restore } from './replay.ts';
export type { RestoreEntry } from './restore.ts';
export { type Verdict, type VerifyOptions, verifyGuard } from './verify.ts';
