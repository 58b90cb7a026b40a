import type { GuardConfig } from '../guards/index.ts';
import type { HostdConfig } from './config.ts';

/** What a guard costs is part of the budget's configuration, and what the lease controller asks for. */
export const guardConfig = ({ guards, budget }: HostdConfig): GuardConfig => ({
  ...guards,
  weights: budget.weights,
});
