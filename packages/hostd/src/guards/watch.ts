import type { GuardClock } from './clock.ts';
import type { Journal } from './journal.ts';

/** hostd's end of the guardian. */
export interface GuardianEnd {
  readonly alive: boolean;
  /** Whether it has taken all that it was told. */
  readonly listens: boolean;
  /** "Something is, or is about to be, armed, and I am well." False: the guardian does not listen. */
  beat(): boolean;
  /** "Nothing is armed any more." */
  idle(): void;
}

export interface WatchOptions {
  clock: GuardClock;
  journal: Journal | undefined;
  guardian: GuardianEnd | undefined;
  /** What must not change under a lease: drivers, their modes, the CPUs online. */
  signature: () => string;
  /** @param by when the leases had lost what they held, at the latest */
  onVoid: (reason: 'restored' | 'suspend' | 'machine' | 'guardian', by: number) => void;
  /** Called with each heartbeat: to look at what the kernel had not applied yet. */
  onTick: () => void;
}

/** How often a heartbeat is sent while something is armed, milliseconds. */
const BEAT_MS = 250;
/** Without a heartbeat for this long the guardian restores, milliseconds. */
export const STALL_MS = 700;
/** A guardian that hears no heartbeat has restored after this long, microseconds: nothing is held past that. */
export const RESTORED_US = 1_000_000;
/** Once a heartbeat is this late, hostd asks whether the guardian has restored, microseconds. */
const LATE_US = 400_000;
/** The guardian is told of the end of arming only after a pause, so that a busy hostd does not tell it each time. */
const LINGER_US = 1_000_000;
/** Less than this is a preemption between two clock readings, microseconds. */
const SUSPEND_US = 50_000;

/**
 * Watches whether leases still hold while something is armed, and tells the guardian that hostd is alive.
 * At rest it has no timer.
 */
export class Watch {
  readonly #options: WatchOptions;
  #active = false;
  #cancelTick: (() => void) | undefined;
  #lastBeat = 0;
  /** When the guardian was last seen to listen, and whether it was found not to: then nothing is armed until it does. */
  #heardAt = 0;
  #deaf = false;
  #restSince: number | undefined;
  #suspended: number;
  #signature: string;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#suspended = options.clock.suspended();
    this.#signature = options.signature();
  }

  /** Call before arming. False: nothing may be armed now, for nobody would restore it. */
  ready(now: number): boolean {
    const { guardian, clock } = this.#options;
    // Whoever is refused now does not say when there is rest again.
    if (guardian && (!guardian.alive || (this.#deaf && !guardian.listens))) return false;
    this.#restSince = undefined;
    if (this.#deaf) {
      this.#deaf = false;
      this.#heardAt = now;
    }
    if (this.#active) {
      // A suspend is looked for once it is armed: that voids this lease too.
      this.#settleRestored(now);
      // If that has voided what was held, there is something to watch again.
      this.#restSince = undefined;
      return true;
    }
    this.#settleSuspend(false);
    this.#options.journal?.voided();
    if (guardian && !guardian.beat()) return false;
    this.#lastBeat = this.#heardAt = now;
    this.#active = true;
    // Soon, not now: looking at the machine takes longer than arming it.
    this.#cancelTick = clock.after(5, () => this.#tick());
    return true;
  }

  /** Voids the leases where they no longer hold. Cheap while the last heartbeat is recent. */
  check(now: number): void {
    this.#settleSuspend(true);
    this.#settleRestored(now);
  }

  /** No leases are left. */
  rest(): void {
    this.#restSince = this.#options.clock.now();
  }

  stop(): void {
    this.#cancelTick?.();
    this.#active = false;
  }

  #tick(): void {
    const { clock, guardian, journal, signature, onVoid, onTick } = this.#options;
    const now = clock.now();
    this.#settleSuspend(true);
    if (journal?.voided()) onVoid('restored', this.#restoredBy(now));
    const seen = signature();
    if (seen !== this.#signature) {
      this.#signature = seen;
      onVoid('machine', now);
    }
    onTick();
    this.#settleDeaf(now);
    if (this.#restSince !== undefined && now - this.#restSince >= LINGER_US) {
      this.#active = false;
      guardian?.idle();
      return;
    }
    if (guardian?.alive) guardian.beat();
    this.#lastBeat = now;
    this.#cancelTick = clock.after(BEAT_MS, () => this.#tick());
  }

  /** A guardian that is stopped would restore nothing. */
  #settleDeaf(now: number): void {
    const { guardian, onVoid } = this.#options;
    if (!guardian?.alive || guardian.listens) this.#heardAt = now;
    if (this.#deaf || now - this.#heardAt < STALL_MS * 1000) return;
    this.#deaf = true;
    onVoid('guardian', now);
  }

  #settleRestored(now: number): void {
    if (now - this.#lastBeat > LATE_US && this.#options.journal?.voided())
      this.#options.onVoid('restored', this.#restoredBy(now));
  }

  #restoredBy(now: number): number {
    return Math.min(now, this.#lastBeat + RESTORED_US);
  }

  #settleSuspend(armed: boolean): void {
    const suspended = this.#options.clock.suspended();
    if (suspended - this.#suspended < SUSPEND_US) return;
    this.#suspended = suspended;
    if (armed) this.#options.onVoid('suspend', this.#options.clock.now());
  }
}
