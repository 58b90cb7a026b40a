export { type ConfigurableBudget, createBudget } from './budget/budget.ts';
export * from './config.ts';
export * from './facts.ts';
export { createPolicy, type LearningPolicy, type PolicyOptions } from './learned-policy.ts';
export type { BenefitEstimate } from './plan/benefit.ts';
export * from './policy.ts';
export type { ClassSummary } from './summary.ts';
