import type { Client } from './client.ts';
import type { LinkState } from './session/reconnect.ts';
import { apiMismatch, isRegistered } from './span/api-mismatch.ts';

export interface Stats {
  /** `off`: not connected, or PREWAKE_DISABLED. */
  state: LinkState | 'off';
  /** Whether an OpenTelemetry SDK is registered; `mismatch`: by an API that ours can't use, so that no span records. */
  tracing: 'sdk' | 'none' | 'mismatch';
  /** hostd's word on the session, while there is one. */
  session?: string;
  hostd?: { version: string; mode: 'arm' | 'observe' | 'paused'; recorder: 'bpf' | 'schedstat' | 'none' };
  /** Sessions opened so far: more than one after a reconnect. */
  sessions: number;
  /** Frames written, and dropped because hostd did not keep up or went away. */
  sent: number;
  dropped: number;
  /** Spans that wait for their figures now; ended so far with figures, and of these how many incomplete. */
  held: number;
  finished: number;
  incomplete: number;
  /** Reports that came after their span had been ended. */
  late: number;
  /** Waits of this session for which guards were held, and for which hostd refused or cut them. */
  windows: { released: number; refused: number };
  /** Budgets that have run dry. */
  degraded: string[];
  /** Error frames of hostd. */
  errors: number;
  lastError?: string;
}

export function statsOf(client: Client | undefined): Stats {
  const { welcome, lastError } = client ?? {};
  return {
    state: client?.link.state ?? 'off',
    tracing: apiMismatch() ? 'mismatch' : isRegistered() ? 'sdk' : 'none',
    ...(welcome && {
      session: welcome.session,
      hostd: { version: welcome.version, mode: welcome.mode, recorder: welcome.recorder },
    }),
    sessions: client?.link.opened ?? 0,
    sent: client?.outbox.sent ?? 0,
    dropped: client?.outbox.dropped ?? 0,
    held: client?.hold.size ?? 0,
    finished: client?.counters.finished ?? 0,
    incomplete: client?.counters.incomplete ?? 0,
    late: client?.hold.late ?? 0,
    windows: { ...(client?.counters.windows ?? { released: 0, refused: 0 }) },
    degraded: [...(client?.degraded ?? [])],
    errors: client?.counters.errors ?? 0,
    ...(lastError !== undefined && { lastError }),
  };
}
