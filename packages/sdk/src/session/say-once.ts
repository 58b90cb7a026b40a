const said = new Set<string>();

/** A warning of this process, once for each code: `node --no-warnings` and `process.on('warning')` apply to it. */
export function sayOnce(code: string, message: string): void {
  if (said.has(code)) return;
  said.add(code);
  process.emitWarning(message, { type: 'PrewakeWarning', code });
}
