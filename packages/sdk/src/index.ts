/** Announces an agent's upcoming wakeups to hostd, and puts kernel slowpaths on its OpenTelemetry spans. */
export { currentStep, signal, startWait, step, tool, wait } from './api.ts';
export type { ConnectOptions, SignalDetail, Step, StepOptions, Wait, WaitHint } from './options.ts';
export { PrewakeError, type PrewakeErrorCode } from './protocol/index.ts';
export { connect, flush, type Prewake, shutdown, stats } from './runtime.ts';
export { interceptor } from './signals/interceptor.ts';
export { PrewakeSpanProcessor } from './span/processor.ts';
export { startStep } from './start-step.ts';
export type { Stats } from './stats.ts';
export { VERSION } from './version.ts';
