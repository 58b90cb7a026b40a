import type { ReportFrame, UserCategory } from '@prewake/sdk/protocol';
import type { HostdEvent } from '../hostd-process.ts';

/** One wait of a step, as hostd saw it. Times in microseconds of CLOCK_MONOTONIC. */
export interface WaitRecord {
  id: string;
  kind: string;
  key: string;
  startedAt: number;
  waitUs: number;
  /** Why it was (not) armed. */
  reason: string;
  /** A window of its own was open when it ended. */
  armed: boolean;
  /** That, or the session's active window. */
  open: boolean;
  armedUs: number;
  cancelled: boolean;
  windows: { armedAt: number; lateUs: number; cpus: number[]; releasedAt?: number }[];
  refusals: { at: number; reason: string; bucket: string; retryMs: number }[];
  /** Waking → first instruction, nanoseconds, and whether the CPU on which it woke was armed. Absent: not known. */
  wakeup?: { ns: number; covered: boolean; cpu: number };
}

export interface StepRecord {
  id: string;
  /** Of the span that it stands on; absent where the step had none that records. */
  spanId?: string;
  traceId?: string;
  kind: string;
  key: string;
  startedAt: number;
  endedAt?: number;
  waits: WaitRecord[];
  /** What the SDK measured itself, nanoseconds: it is on the span and not in hostd's report. */
  userSpace: Partial<Record<UserCategory, number>>;
  /** Absent: hostd sent none. */
  report?: ReportFrame;
}

/** Puts hostd's events (`/v1/events`) together again as steps with their waits, windows and reports. */
export class Recording {
  readonly steps = new Map<string, StepRecord>();
  readonly budgetChanges: HostdEvent[] = [];
  readonly foreignWriters: HostdEvent[] = [];
  readonly #waits = new Map<string, WaitRecord>();

  get endedSteps(): number {
    let ended = 0;
    for (const step of this.steps.values()) if (step.endedAt !== undefined) ended++;
    return ended;
  }

  add(event: HostdEvent): void {
    switch (event.type) {
      case 'step':
        this.steps.set(String(event.id), {
          id: String(event.id),
          kind: String(event.kind),
          key: String(event.key ?? ''),
          startedAt: Number(event.at),
          waits: [],
          userSpace: {},
        });
        return;
      case 'step_end': {
        const step = this.steps.get(String(event.id));
        if (step) step.endedAt = Number(event.at);
        return;
      }
      case 'wait':
        this.#wait(event);
        return;
      case 'wait_end': {
        const wait = this.#waits.get(String(event.wait));
        if (wait)
          Object.assign(wait, {
            waitUs: event.waitUs,
            reason: event.reason,
            armed: event.armed,
            open: event.open,
            armedUs: event.armedUs,
            cancelled: event.cancelled,
          });
        return;
      }
      case 'armed':
        this.#waits.get(String(event.wait))?.windows.push({
          armedAt: Number(event.at),
          lateUs: Number(event.lateUs),
          cpus: event.cpus as number[],
        });
        return;
      case 'released': {
        const window = this.#waits.get(String(event.wait))?.windows.at(-1);
        if (window) window.releasedAt = Number(event.at);
        return;
      }
      case 'refused': {
        const grant = event.grant as { reason: string; bucket: string; retryMs: number };
        this.#waits.get(String(event.wait))?.refusals.push({ at: Number(event.at), ...grant });
        return;
      }
      case 'wakeup': {
        const wait = this.#waits.get(String(event.wait));
        if (wait)
          wait.wakeup = { ns: Number(event.ns), covered: event.covered === true, cpu: Number(event.cpu) };
        return;
      }
      case 'report': {
        const report = event.report as ReportFrame;
        const step = this.steps.get(report.step);
        if (step) step.report = report;
        return;
      }
      case 'budget':
        this.budgetChanges.push(event);
        return;
      case 'guard':
        if (event.what === 'foreign_writer') this.foreignWriters.push(event);
        return;
    }
  }

  #wait(event: HostdEvent): void {
    const id = `${event.session}/${event.id}`;
    const wait: WaitRecord = {
      id,
      kind: String(event.kind),
      key: String(event.key ?? ''),
      startedAt: Number(event.at),
      waitUs: Number.NaN,
      reason: 'open',
      armed: false,
      open: false,
      armedUs: 0,
      cancelled: false,
      windows: [],
      refusals: [],
    };
    this.#waits.set(id, wait);
    this.steps.get(String(event.step))?.waits.push(wait);
  }
}
