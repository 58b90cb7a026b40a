// What this copy of the SDK does. Which copy's is used, index.ts decides.
export { currentStep, signal, startWait, step, tool, wait } from './api.ts';
export { connect, flush, shutdown, stats } from './runtime.ts';
export { interceptor } from './signals/interceptor.ts';
export { PrewakeSpanProcessor } from './span/processor.ts';
export { startStep } from './start-step.ts';
