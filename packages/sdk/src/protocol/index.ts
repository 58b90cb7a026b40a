/** The wire between an agent and hostd: types, limits, codec. Both ends import this and nothing else of the SDK. */
export * from './categories.ts';
export * from './errors.ts';
export * from './frames.ts';
export * from './socket-path.ts';
export * from './time.ts';
