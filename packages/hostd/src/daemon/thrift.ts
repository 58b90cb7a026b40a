import type { Micros } from '@prewake/sdk/protocol';
import type { PowerConditions } from '../kernel/power-conditions.ts';
import type { Budget, BudgetConfig } from '../policy/index.ts';

/** Conditions are looked at while waits begin, at most this often: hostd at rest looks at nothing. */
const LOOK_EVERY_US = 5_000_000;

/** Cuts the budget while the machine is hot, on battery or told to save power. */
export class Thrift {
  readonly #budget: Budget;
  readonly #read: () => Promise<PowerConditions>;
  readonly #now: () => Micros;
  parts: BudgetConfig['parts'];
  #nextLook = 0;
  #looking = false;
  #part = 1;
  #reasons: string[] = [];
  onChange: ((part: number, reasons: readonly string[]) => void) | undefined;

  constructor(options: {
    budget: Budget;
    parts: BudgetConfig['parts'];
    read: () => Promise<PowerConditions>;
    now: () => Micros;
  }) {
    this.#budget = options.budget;
    this.parts = options.parts;
    this.#read = options.read;
    this.#now = options.now;
  }

  /** The part of its refill that the budget has now, 0–1, and why. */
  get state(): { part: number; reasons: readonly string[] } {
    return { part: this.#part, reasons: this.#reasons };
  }

  /** Looks again where the last look is old. Never blocks: the budget follows when the answer is there. */
  look(): void {
    const now = this.#now();
    if (now < this.#nextLook || this.#looking) return;
    this.#nextLook = now + LOOK_EVERY_US;
    this.#looking = true;
    this.#read().then(
      (conditions) => this.#apply(conditions),
      () => {
        this.#looking = false;
      },
    );
  }

  #apply(conditions: PowerConditions): void {
    this.#looking = false;
    let part = 1;
    const reasons: string[] = [];
    for (const name of ['thermal', 'battery', 'powerSaver'] as const) {
      if (conditions[name].length === 0) continue;
      part = Math.min(part, this.parts[name]);
      reasons.push(...conditions[name]);
    }
    this.#reasons = reasons;
    if (part === this.#part) return;
    this.#part = part;
    this.#budget.setPart(part, this.#now());
    this.onChange?.(part, reasons);
  }
}
