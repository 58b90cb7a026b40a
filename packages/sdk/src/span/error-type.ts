/** `error.type`: an error's code, else its class, else the conventions' word for anything else. */
export function errorType(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return typeof error;
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (typeof code === 'string' && code !== '') return code;
    return typeof name === 'string' && name !== '' ? name : '_OTHER';
  } catch {
    // A getter that throws must not replace the agent's own error.
    return '_OTHER';
  }
}
