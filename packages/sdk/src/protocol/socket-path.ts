import { join } from 'node:path';

/** The system hostd's socket. */
export const SYSTEM_SOCKET = '/run/prewake/hostd.sock';

/**
 * Where hostd may listen, best first. `PREWAKE_SOCKET` is the only one where it is set; otherwise the system's
 * socket, then the user's (`$XDG_RUNTIME_DIR/prewake/hostd.sock`).
 */
export function socketCandidates(env: NodeJS.ProcessEnv = process.env): string[] {
  if (env.PREWAKE_SOCKET) return [env.PREWAKE_SOCKET];
  const candidates = [SYSTEM_SOCKET];
  if (env.XDG_RUNTIME_DIR) candidates.push(join(env.XDG_RUNTIME_DIR, 'prewake', 'hostd.sock'));
  return candidates;
}
