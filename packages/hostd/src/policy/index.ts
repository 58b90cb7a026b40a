export { type ConfigurableBudget, createBudget } from './budget/budget.ts';
export * from './config.ts';
export * from './facts.ts';
export { createPolicy, type PolicyOptions } from './learned-policy.ts';
export * from './policy.ts';
