import { PrewakeError } from '@prewake/sdk/protocol';
import { errorCode } from '../kernel/libc.ts';
import type { Guard, GuardEvent, Target } from './guard.ts';
import type { Journal } from './journal.ts';
import { type Claim, claimKey } from './journal-format.ts';
import { type RestoreEntry, restoreClaim } from './restore.ts';

/** A guard on one of its targets. `key` is the {@link claimKey} of both. */
export interface Control {
  readonly key: string;
  readonly guard: Guard;
  readonly target: Target;
}

/** A control that is held: what was there, what we wrote, and who wants what. */
interface Held extends Control {
  wants: Map<number, string>;
  /** How many want each value: with many leases there are few values, and most changes change none of them. */
  values: Map<string, number>;
  original: string;
  /** What is written now; the original while nothing had to be written. */
  written: string;
  readBack: string | undefined;
  /** Whether the control was ever written since `original` was read. */
  touched: boolean;
  /** Whether a CPU that sleeps knows of it: it looks at no limit that comes while it sleeps. */
  told: boolean;
  /** Another writer's value was found, or the control failed: not written again until all wants are gone. */
  lost: boolean;
}

export interface ArbiterOptions {
  /** Undefined in dry-run mode: decides, reports and writes nothing. */
  journal: Journal | undefined;
  now: () => number;
  emit: (event: GuardEvent) => void;
  /** A control cannot be put back now (its CPU is offline): call {@link Arbiter.retry} later. */
  onPending: () => void;
}

/** Turns wants into at most one write for each control: the strictest wins, and the last to leave restores. */
export class Arbiter {
  readonly #options: ArbiterOptions;
  readonly #held = new Map<string, Held>();
  readonly #kicks: Control[] = [];
  readonly #pending = new Map<string, { guard: Guard; claim: Claim }>();
  /** Written, and not applied by the kernel when it was read back. */
  readonly #unconfirmed = new Set<Held>();

  constructor(options: ArbiterOptions) {
    this.#options = options;
  }

  /**
   * Adds a want and writes if it is the strictest; then {@link kick} is due. Never throws.
   * @param tell whether its CPU may sleep, and is to be told of what was written, now or when nobody had to be told
   * @returns false where the control could not be armed
   */
  want(control: Control, id: number, value: string, tell: boolean): boolean {
    const { key, guard, target } = control;
    let held = this.#held.get(key);
    try {
      if (!held) {
        held = this.#begin(control);
        this.#held.set(key, held);
      } else if (this.#options.journal && !held.touched && !held.lost && !held.values.has(value)) {
        // Nothing was written since the first lease: what is there may have changed, and is nobody's but theirs.
        held.original = held.written = held.readBack = guard.read(target);
      }
      held.wants.set(id, value);
      const others = held.values.get(value) ?? 0;
      held.values.set(value, others + 1);
      if (others === 0 && this.#settle(held)) held.told = false;
      if (tell && !held.told && !held.lost) {
        held.told = true;
        this.#kicks.push(held);
      }
      if (held.lost) this.drop(control, id);
      return !held.lost;
    } catch (error) {
      this.#fail(guard, target, error);
      if (held) {
        held.lost = true;
        this.drop(control, id);
      }
      return false;
    }
  }

  /** Tells sleeping CPUs of what they are to know, each once: all writes come first. */
  kick(): void {
    this.#kicks.forEach(({ guard, target }, i) => {
      if (!onSameCpu(target, this.#kicks[i + 1]?.target)) this.#kick(guard, target);
    });
    this.#kicks.length = 0;
  }

  /** Takes a want away: writes the next strictest, or restores. Never throws. */
  drop(control: Control, id: number): void {
    const { key, guard, target } = control;
    const held = this.#held.get(key);
    const value = held?.wants.get(id);
    if (!held || value === undefined) return;
    held.wants.delete(id);
    const others = (held.values.get(value) ?? 1) - 1;
    if (others > 0) held.values.set(value, others);
    else held.values.delete(value);
    try {
      if (held.wants.size > 0) {
        if (others === 0) this.#settle(held);
        return;
      }
    } catch (error) {
      held.lost = true;
      this.#fail(guard, target, error);
      return;
    }
    this.#held.delete(key);
    this.#unconfirmed.delete(held);
    if (held.touched) this.#restore(held);
    else if (held.written !== held.original) this.#released(guard, target, held.original);
  }

  /** Looks again at what the kernel had not applied yet when it was read back. Never throws. */
  confirm(): void {
    for (const held of [...this.#unconfirmed]) {
      const { guard, target, written, original } = held;
      try {
        const found = guard.read(target);
        if (guard.pending?.(target)) continue;
        this.#unconfirmed.delete(held);
        if (held.lost) continue;
        if (guard.isOurs(target, written, undefined, found)) this.#readBack(held, found);
        else if (found === original) throw ignored(held, found);
        // Long after the write it is rather somebody else's.
        else this.#foreign(held, found);
      } catch (error) {
        this.#unconfirmed.delete(held);
        held.lost = true;
        this.#fail(guard, target, error);
      }
    }
  }

  /** Tries again what could not be put back. */
  retry(): void {
    for (const [key, { guard, claim }] of [...this.#pending]) {
      // Armed again meanwhile: its original was taken over, and its own release will put it back.
      if (this.#held.has(key)) this.#pending.delete(key);
      else this.#settleRestore(key, guard, claim, restoreClaim(guard, claim, this.#claimed(guard)));
    }
  }

  /** Takes over claims that a replay could not put back yet. */
  adopt(guard: Guard, claim: Claim): void {
    this.#pending.set(claimKey(guard.id, claim.target), { guard, claim });
    this.#options.onPending();
  }

  #begin({ key, guard, target }: Control): Held {
    const found = guard.read(target);
    const base = { key, guard, target, wants: new Map(), values: new Map(), lost: false };
    const left = this.#pending.get(key);
    if (left) {
      this.#pending.delete(key);
      const ours = left.claim.writes.findLast((write) =>
        guard.isOurs(target, write.value, write.readBack, found),
      );
      if (ours) {
        // Still ours from before: the original is what was found then.
        const { original } = left.claim;
        return {
          ...base,
          original,
          written: ours.value,
          readBack: ours.readBack,
          touched: true,
          told: false,
        };
      }
      this.#options.journal?.done(guard.id, target);
    }
    return { ...base, original: found, written: found, readBack: found, touched: false, told: true };
  }

  /** Writes the strictest want, unless it is there already. True: it was written, and others must be told. */
  #settle(held: Held): boolean {
    if (held.lost) return false;
    const { guard, target, original } = held;
    const value = guard.strictest(target, [...held.values.keys()], original, held.written);
    if (value === held.written) return false;
    const { journal } = this.#options;
    let at = this.#options.now();
    if (journal) {
      if (held.touched) {
        const found = guard.read(target);
        if (!guard.isOurs(target, held.written, held.readBack, found)) {
          this.#foreign(held, found);
          return false;
        }
      }
      journal.intent(guard.id, target, original, value);
      held.touched = true;
      held.written = value;
      held.readBack = undefined;
      guard.write(target, value);
      at = this.#options.now();
      const found = guard.read(target);
      // Waiting for the kernel here would hold up every session.
      if (guard.pending?.(target)) this.#unconfirmed.add(held);
      else this.#readBack(held, found);
    } else {
      held.written = value;
    }
    this.#options.emit({ type: 'armed', guard: guard.id, target, value, at });
    return journal !== undefined;
  }

  /** @throws PrewakeError PREWAKE_GUARD_IGNORED where it is not what was written. */
  #readBack(held: Held, found: string): void {
    const { guard, target, written } = held;
    held.readBack = found;
    this.#unconfirmed.delete(held);
    this.#options.journal?.readBack(guard.id, target, found);
    if (!guard.isOurs(target, written, undefined, found)) throw ignored(held, found);
  }

  #restore(held: Held): void {
    const { key, guard, target, original, written, readBack } = held;
    const claim: Claim = { guard: guard.id, target, original, writes: [{ value: written, readBack }] };
    this.#settleRestore(key, guard, claim, restoreClaim(guard, claim, this.#claimed(guard)), held.lost);
  }

  /** The targets of a guard that are to be put back by themselves. */
  *#claimed(guard: Guard): Iterable<Target> {
    for (const held of this.#held.values()) if (held.guard === guard && held.touched) yield held.target;
    for (const pending of this.#pending.values()) if (pending.guard === guard) yield pending.claim.target;
  }

  #settleRestore(key: string, guard: Guard, claim: Claim, entry: RestoreEntry, said = false): void {
    const { target } = claim;
    const { journal, now, emit, onPending } = this.#options;
    if (entry.outcome === 'pending' || entry.outcome === 'failed') {
      const news = !this.#pending.has(key);
      this.#pending.set(key, { guard, claim });
      if (news) {
        const code = entry.outcome === 'pending' ? 'PREWAKE_RESTORE_PENDING' : 'PREWAKE_RESTORE_FAILED';
        const message = `not put back to ${claim.original} yet: ${entry.reason}`;
        emit({ type: 'failed', guard: guard.id, target, code, message, at: now() });
      }
      onPending();
      return;
    }
    this.#pending.delete(key);
    try {
      journal?.done(guard.id, target);
    } catch (error) {
      this.#fail(guard, target, error);
    }
    if (entry.outcome === 'foreign') {
      const ours = claim.writes.at(-1)?.value ?? '';
      if (!said) {
        const found = entry.found ?? '';
        emit({ type: 'foreign_writer', guard: guard.id, target, found, ours, at: now() });
      }
    } else {
      this.#released(guard, target, claim.original);
    }
  }

  #released(guard: Guard, target: Target, value: string): void {
    this.#options.emit({ type: 'released', guard: guard.id, target, value, at: this.#options.now() });
  }

  #foreign(held: Held, found: string): void {
    held.lost = true;
    const { guard, target, written } = held;
    this.#options.emit({
      type: 'foreign_writer',
      guard: guard.id,
      target,
      found,
      ours: written,
      at: this.#options.now(),
    });
  }

  #kick(guard: Guard, target: Target): void {
    try {
      guard.kick(target);
    } catch (error) {
      this.#fail(guard, target, error, 'PREWAKE_KICK_FAILED');
    }
  }

  #fail(guard: Guard, target: Target, error: unknown, code?: string): void {
    const errno = errorCode(error);
    // That a thread has ended is told alike, whichever call found it.
    const own = error instanceof PrewakeError && errno !== 'ESRCH' ? error.code : undefined;
    this.#options.emit({
      type: 'failed',
      guard: guard.id,
      target,
      code: code ?? own ?? `PREWAKE_GUARD_${errno ?? 'FAILED'}`,
      message: error instanceof Error ? error.message : String(error),
      at: this.#options.now(),
    });
  }
}

/** Several states of one CPU follow upon each other. */
const onSameCpu = (one: Target, next: Target | undefined) =>
  next !== undefined && 'cpu' in one && 'cpu' in next && one.cpu === next.cpu;

function ignored({ guard, written }: Held, found: string): PrewakeError {
  return new PrewakeError('PREWAKE_GUARD_IGNORED', `${guard.id} reads ${found} after ${written} was written`);
}
