/** Announces an agent's upcoming wakeups to hostd, and puts kernel slowpaths on its OpenTelemetry spans. */
import * as own from './own.ts';
import { shared } from './shared.ts';

export type { ConnectOptions, SignalDetail, Step, StepOptions, Wait, WaitHint } from './options.ts';
export { PrewakeError, type PrewakeErrorCode } from './protocol/index.ts';
export type { Prewake } from './runtime.ts';
export type { Stats } from './stats.ts';
export { VERSION } from './version.ts';

const api = shared(own);

// `typeof`, so that each keeps its description.
export const connect: typeof own.connect = api.connect;
export const currentStep: typeof own.currentStep = api.currentStep;
export const flush: typeof own.flush = api.flush;
export const interceptor: typeof own.interceptor = api.interceptor;
export const shutdown: typeof own.shutdown = api.shutdown;
export const signal: typeof own.signal = api.signal;
export const startStep: typeof own.startStep = api.startStep;
export const startWait: typeof own.startWait = api.startWait;
export const stats: typeof own.stats = api.stats;
export const step: typeof own.step = api.step;
export const tool: typeof own.tool = api.tool;
export const wait: typeof own.wait = api.wait;
export const PrewakeSpanProcessor: typeof own.PrewakeSpanProcessor = api.PrewakeSpanProcessor;
export type PrewakeSpanProcessor = own.PrewakeSpanProcessor;
