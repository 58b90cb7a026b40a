import type { LogLevel } from './config.ts';

/** Where hostd says what people should know: one line at a time, `info` unless another level is named. */
export type Log = (line: string, level?: LogLevel) => void;
