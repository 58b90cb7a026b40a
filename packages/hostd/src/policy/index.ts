export * from './config.ts';
export * from './facts.ts';
export * from './policy.ts';
