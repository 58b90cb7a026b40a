interface Span {
  from: number;
  to: number;
}

/** When which CPU was armed, so that a wakeup can be told covered or not after the fact. Times in nanoseconds. */
export class ArmedLog {
  /** By CPU, by guard. */
  readonly #spans = new Map<number, Map<string, Span[]>>();
  readonly #keepNs: number;

  /** @param keepNs how long a closed span is remembered; records arrive later than what they tell. */
  constructor(keepNs = 10e9) {
    this.#keepNs = keepNs;
  }

  /** @param cpu -1 for a guard on the whole host */
  armed(guard: string, cpu: number, at: number): void {
    const log = this.#log(guard, cpu);
    const last = log.at(-1);
    if (last?.to === Infinity) return;
    log.push({ from: at, to: Infinity });
    while (log.length > 1 && (log[0] as Span).to < at - this.#keepNs) log.shift();
  }

  released(guard: string, cpu: number, at: number): void {
    const last = this.#log(guard, cpu).at(-1);
    if (last?.to === Infinity) last.to = at;
  }

  isCovered(cpu: number, at: number): boolean {
    return isIn(this.#spans.get(cpu), at) || isIn(this.#spans.get(-1), at);
  }

  #log(guard: string, cpu: number): Span[] {
    let guards = this.#spans.get(cpu);
    if (!guards) {
      guards = new Map();
      this.#spans.set(cpu, guards);
    }
    let log = guards.get(guard);
    if (!log) {
      log = [];
      guards.set(guard, log);
    }
    return log;
  }
}

function isIn(guards: ReadonlyMap<string, readonly Span[]> | undefined, at: number): boolean {
  if (!guards) return false;
  for (const spans of guards.values()) {
    for (let i = spans.length - 1; i >= 0; i--) {
      const span = spans[i] as Span;
      if (span.to <= at) break;
      if (span.from <= at) return true;
    }
  }
  return false;
}
