/** The wire between an agent and hostd: types, limits, codec. Both ends import this and nothing else of the SDK. */
export * from './categories.ts';
export * from './codes.ts';
export * from './encode.ts';
export * from './errors.ts';
export { MAX_KEY_LENGTH, MAX_KIND_LENGTH, MAX_TIME_AHEAD, toKey } from './fields.ts';
export * from './frames.ts';
export * from './line-splitter.ts';
export * from './parse-client.ts';
export * from './parse-hostd.ts';
export * from './protocol-error.ts';
export * from './socket-path.ts';
export * from './time.ts';
export * from './version.ts';
