import type { PlannedWindow } from '../facts.ts';
import { armedWithin, isCovered } from '../plan/windows.ts';
import type { TraceRow } from './trace.ts';

export interface Coverage {
  waits: number;
  /** Part of wakeups that found a window open, 0–1; null without waits. */
  coverage: number | null;
  /** Part of wait time that was armed, 0–1; null without wait time. */
  armedShare: number | null;
}

export interface Summary extends Coverage {
  byKind: Record<string, Coverage>;
}

/** Adds up what windows do for the waits of a trace. */
export class CoverageTally {
  readonly #leadUs: number;
  readonly #all = new Sums();
  readonly #kinds = new Map<string, Sums>();

  constructor(leadUs: number) {
    this.#leadUs = leadUs;
  }

  add(row: TraceRow, windows: readonly PlannedWindow[]): void {
    const us = row.waitMs * 1000;
    this.addSums(row, isCovered(windows, us, this.#leadUs) ? 1 : 0, armedWithin(windows, us));
  }

  addSums(row: TraceRow, covered: number, armedUs: number): void {
    const kind = this.#kinds.get(row.kind) ?? new Sums();
    this.#kinds.set(row.kind, kind);
    for (const sums of [this.#all, kind]) {
      sums.waits++;
      sums.covered += covered;
      sums.armedUs += armedUs;
      sums.waitUs += row.waitMs * 1000;
    }
  }

  summary(): Summary {
    const byKind = [...this.#kinds].map(([kind, sums]) => [kind, sums.coverage()] as const);
    return { ...this.#all.coverage(), byKind: Object.fromEntries(byKind) };
  }
}

class Sums {
  waits = 0;
  covered = 0;
  armedUs = 0;
  waitUs = 0;

  coverage(): Coverage {
    return {
      waits: this.waits,
      coverage: this.waits > 0 ? this.covered / this.waits : null,
      armedShare: this.waitUs > 0 ? this.armedUs / this.waitUs : null,
    };
  }
}
