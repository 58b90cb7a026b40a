interface Span {
  from: number;
  to: number;
}

/** When which CPU was armed, so that a wakeup can be told covered or not after the fact. Times in nanoseconds. */
export class ArmedLog {
  readonly #spans = new Map<string, { cpu: number; spans: Span[] }>();
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
    for (const log of this.#spans.values()) {
      if (log.cpu !== cpu && log.cpu !== -1) continue;
      for (let i = log.spans.length - 1; i >= 0; i--) {
        const span = log.spans[i] as Span;
        if (span.to <= at) break;
        if (span.from <= at) return true;
      }
    }
    return false;
  }

  #log(guard: string, cpu: number): Span[] {
    const name = `${guard} ${cpu}`;
    let entry = this.#spans.get(name);
    if (!entry) {
      entry = { cpu, spans: [] };
      this.#spans.set(name, entry);
    }
    return entry.spans;
  }
}
