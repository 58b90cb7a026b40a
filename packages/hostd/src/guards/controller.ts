import type { Arbiter, Control } from './arbiter.ts';
import type { GuardClock } from './clock.ts';
import type {
  Availability,
  Guard,
  GuardController,
  GuardEvent,
  GuardId,
  Hold,
  LeaseInfo,
  Target,
  WindowRequest,
} from './guard.ts';
import { claimKey } from './journal-format.ts';
import type { Watch } from './watch.ts';

interface Part extends Control {
  readonly wanted: string;
}

interface HeldWindow {
  hold: Hold;
  owner: string;
  reason: string;
  since: number;
  expiresAt: number;
  parts: Part[];
}

export interface LeaseControllerOptions {
  availability: () => readonly Availability[];
  /** The chosen guards; none in observe mode. */
  guards: () => readonly Guard[];
  /** Whether a CPU is online and may be armed. */
  eligible: (cpu: number) => boolean;
  /** The configured factor on a guard's weight. */
  factor: (guard: GuardId) => number;
  arbiter: Arbiter;
  clock: GuardClock;
  /** Whether the leases still hold, and the guardian's heartbeat. */
  watch: Watch;
  close: () => void;
}

const NOTHING: Part[] = [];

/** Keeps leases, their expiry and their owners. All writing is the arbiter's. Nothing here throws. */
export class LeaseController implements GuardController {
  onEvent: ((event: GuardEvent) => void) | undefined;
  readonly #options: LeaseControllerOptions;
  readonly #windows = new Map<number, HeldWindow>();
  /** What is priced is armed next, in the same turn. */
  #priced: { window: WindowRequest; parts: Part[] } | undefined;
  #nextId = 1;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: LeaseControllerOptions) {
    this.#options = options;
  }

  get availability(): readonly Availability[] {
    return this.#options.availability();
  }

  price(window: WindowRequest): number {
    const parts = this.#plan(window);
    this.#priced = { window, parts };
    return this.#weigh(parts);
  }

  arm(window: WindowRequest): Hold {
    const { clock, watch, arbiter } = this.#options;
    const id = this.#nextId++;
    const now = clock.now();
    if (this.#closed || !(window.expiresAt > now) || !Number.isFinite(window.expiresAt)) return refused(id);
    const plan = this.#priced?.window === window ? this.#priced.parts : this.#plan(window);
    this.#priced = undefined;
    if (plan.length === 0 || !watch.ready(now)) return refused(id);
    const parts: Part[] = [];
    for (let i = 0; i < plan.length; i++) {
      const part = plan[i] as Part;
      if (arbiter.want(part, id, part.wanted, !isOn(part.target, window.awake))) parts.push(part);
      if (plan[i + 1]?.guard !== part.guard) arbiter.kick();
    }
    if (parts.length === 0) {
      if (this.#windows.size === 0) this.#rest();
      return refused(id);
    }
    const { owner, reason, expiresAt } = window;
    const hold: Hold = { id, weight: this.#weigh(parts), cpus: this.#covered(window, parts) };
    // Kept for as long as the window is open: without the room that push() leaves for sixteen more.
    this.#windows.set(id, { hold, owner, reason, since: now, expiresAt, parts: parts.slice() });
    this.#schedule(expiresAt);
    // The process may have been stopped between the look above and the last write.
    watch.check(clock.now());
    return this.#windows.has(id) ? hold : refused(id);
  }

  holds(hold: Hold): boolean {
    return this.#windows.has(hold.id);
  }

  extend(hold: Hold, expiresAt: number): void {
    const window = this.#windows.get(hold.id);
    if (!window || !Number.isFinite(expiresAt)) return;
    window.expiresAt = expiresAt;
    this.#schedule(expiresAt);
  }

  release(hold: Hold): void {
    const window = this.#windows.get(hold.id);
    if (!window) return;
    this.#windows.delete(hold.id);
    for (const part of window.parts) this.#options.arbiter.drop(part, hold.id);
    if (this.#windows.size === 0) this.#rest();
  }

  releaseOwner(owner: string): void {
    for (const window of this.#windows.values()) if (window.owner === owner) this.release(window.hold);
  }

  releaseAll(): void {
    for (const { hold } of this.#windows.values()) this.release(hold);
  }

  leases(): LeaseInfo[] {
    const leases: LeaseInfo[] = [];
    for (const { hold, owner, reason, since, expiresAt, parts } of this.#windows.values()) {
      for (const { guard, target, wanted } of parts) {
        leases.push({ id: hold.id, owner, reason, guard: guard.id, target, wanted, since, expiresAt });
      }
    }
    return leases;
  }

  close(): void {
    if (this.#closed) return;
    this.releaseAll();
    this.#closed = true;
    this.#options.close();
  }

  #plan(request: WindowRequest): Part[] {
    let window = request;
    if (!request.cpus.every(this.#options.eligible)) {
      window = { ...request, cpus: request.cpus.filter(this.#options.eligible) };
      // None of the CPUs that it asks for may be armed: its threads alone are not worth it.
      if (window.cpus.length === 0) return NOTHING;
    }
    const parts: Part[] = [];
    try {
      for (const guard of this.#options.guards()) {
        for (const target of guard.targets(window)) {
          const key = claimKey(guard.id, target);
          if (!parts.some((part) => part.key === key))
            parts.push({ key, guard, target, wanted: guard.wanted(target, window) });
        }
      }
    } catch {
      // A CPU that vanishes while its limits are looked up: nothing is armed there.
      return NOTHING;
    }
    return parts;
  }

  #weigh(parts: readonly Part[]): number {
    let sum = 0;
    for (const { guard, target, wanted } of parts)
      sum += guard.weight(target, wanted) * this.#options.factor(guard.id);
    return sum;
  }

  #covered(window: WindowRequest, parts: readonly Part[]): number[] {
    const cpus: number[] = [];
    const add = (cpu: number) => {
      if (!cpus.includes(cpu)) cpus.push(cpu);
    };
    for (const { target } of parts) {
      if (target.type === 'cpu' || target.type === 'idle_state') add(target.cpu);
      else if (target.type !== 'task') {
        for (const cpu of window.cpus) if (this.#options.eligible(cpu)) add(cpu);
      }
    }
    return cpus.slice(); // As long-lived as the parts.
  }

  /** One timer for the nearest expiry, and none without leases. */
  #schedule(at: number): void {
    if (at >= this.#timerAt) return;
    const { clock } = this.#options;
    this.#cancelTimer?.();
    this.#timerAt = at;
    const ms = Math.min(Math.max(Math.ceil((at - clock.now()) / 1000), 1), 2 ** 31 - 1);
    this.#cancelTimer = clock.after(ms, () => this.#expire());
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    this.#options.watch.check(now);
    let next = Number.POSITIVE_INFINITY;
    for (const { hold, owner, reason, expiresAt } of this.#windows.values()) {
      if (expiresAt <= now) {
        this.release(hold);
        this.onEvent?.({ type: 'expired', owner, reason, at: now });
      } else if (expiresAt < next) {
        next = expiresAt;
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#schedule(next);
  }

  #rest(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#options.watch.rest();
  }
}

const isOn = (target: Target, cpu: number | undefined) => 'cpu' in target && target.cpu === cpu;

function refused(id: number): Hold {
  return { id, weight: 0, cpus: [] };
}
