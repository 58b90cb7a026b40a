import type { Micros } from '@prewake/sdk/protocol';
import type { GuardController, Hold, WindowRequest } from '../guards/guard.ts';
import { RESTORED_US } from '../guards/watch.ts';
import type { Budget, Grant, Payer } from '../policy/index.ts';

/** A session as far as arming is concerned. */
export interface Claimant {
  readonly id: string;
  readonly payer: Payer;
  /** The task whose wakeup is awaited: where it last ran is where it is expected to wake. */
  task(thread: number | undefined): { tgid: number; tid: number; startTime: string };
}

/** A thread, as the kernel knows it. */
type Task = ReturnType<Claimant['task']>;

/** What a task is about: it has just woken, it or its process has just said something, or it has been waiting. */
export type TaskState = 'awake' | 'hinted' | 'asleep';

export type Refusal = Extract<Grant, { granted: false }>;

/** Guards held for one window, paid up to a time. */
export interface Claim {
  readonly hold: Hold;
  readonly since: Micros;
  paidUntil: Micros;
  readonly account: Account;
}

/** What one session pays for one thread on its CPUs: claims that overlap are armed once and paid once. */
interface Account {
  readonly claimant: Claimant;
  readonly task: Task;
  readonly cpus: readonly number[];
  /** Tokens for each armed microsecond. */
  readonly rate: number;
  paidUntil: Micros;
  /** Few: mostly one. */
  claims: readonly Claim[];
}

/** A payment is for this long at least, microseconds: a bucket that can't pay for it is too small to arm anything. */
const LEAST_US = 1000;
/** A lease outlives what is paid for by this much, so that the renewal, and not the expiry, decides. */
const LEASE_GRACE_US = 20_000;

export interface ClaimsOptions {
  budget: Budget;
  guards: GuardController;
  now: () => Micros;
  /**
   * Home CPU of a thread, then the CPU that handled its last completion: the ones worth arming. None where it is gone, or
   * nobody knows where it will wake. `slept`: it has not run for a while, and may not be allowed to where it last did.
   */
  cpusOf: (tgid: number, tid: number, now: Micros, slept: boolean) => number[];
  /** The deepest exit latency that an armed CPU may have, microseconds. */
  idleLatencyUs: number;
}

/** The only way to a guard: the budget is asked first, for as long as the guard will be held. */
export class Claims {
  readonly #options: ClaimsOptions;
  /** Those in use: mostly one for each claimant. */
  readonly #accounts = new Map<Claimant, Account[]>();
  /** An administrator's pause: nothing is granted. */
  paused = false;
  /** Of claims to come. */
  idleLatencyUs: number;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.idleLatencyUs = options.idleLatencyUs;
  }

  /** False where this machine has no guard to hold: there is nothing to open then. */
  get useful(): boolean {
    return this.#options.guards.availability.some((guard) => guard.chosen);
  }

  /**
   * The CPUs that would be armed now.
   * @param thread as the client names it
   */
  cpusOf(claimant: Claimant, thread: number | undefined): number[] {
    const { tgid, tid } = claimant.task(thread);
    return this.#options.cpusOf(tgid, tid, this.#options.now(), false);
  }

  /** Whether a claim is on all CPUs on which one for its thread, which runs just now, would be. */
  fits({ account: { task, cpus } }: Claim): boolean {
    const { cpusOf, now } = this.#options;
    return cpusOf(task.tgid, task.tid, now(), false).every((cpu) => cpus.includes(cpu));
  }

  /**
   * Undefined where nothing can be held: the thread is gone, its CPUs may not be armed, nobody would restore them.
   * Nothing is paid for that.
   *
   * @param thread as the client names it
   * @param lengthUs for as long as that at most: the claim says until when it is paid
   */
  open(
    claimant: Claimant,
    thread: number | undefined,
    reason: string,
    lengthUs: number,
    state: TaskState,
  ): Claim | Refusal | undefined {
    const { guards, cpusOf, now } = this.#options;
    const task = claimant.task(thread);
    const at = now();
    const cpus = cpusOf(task.tgid, task.tid, at, state === 'asleep');
    if (cpus.length === 0) return undefined;
    const request: WindowRequest = {
      owner: claimant.id,
      reason,
      cpus,
      tasks: [task],
      latencyUs: this.idleLatencyUs,
      awake: state === 'awake' ? cpus[0] : undefined,
      expiresAt: 0,
    };
    const account = this.#account(claimant, task, request);
    const until = at + lengthUs;
    const refusal = this.#pay(account, until, at);
    if (refusal) return refusal;
    const paidUntil = Math.min(until, account.paidUntil);
    request.expiresAt = paidUntil + LEASE_GRACE_US;
    const claim: Claim = { hold: guards.arm(request), since: at, paidUntil, account };
    if (account.claims.length === 0) this.#keep(account);
    account.claims = account.claims.concat(claim);
    if (guards.holds(claim.hold)) return claim;
    this.drop(claim, at);
    return undefined;
  }

  /** Pays for more, until then at most; the guards stay held. `lost` where they are not held any more. */
  extend(claim: Claim, until: Micros): Refusal | 'lost' | undefined {
    const { guards, now } = this.#options;
    if (!guards.holds(claim.hold)) return 'lost';
    const refusal = this.#pay(claim.account, until, now());
    if (refusal) return refusal;
    claim.paidUntil = Math.min(until, claim.account.paidUntil);
    guards.extend(claim.hold, claim.paidUntil + LEASE_GRACE_US);
    return undefined;
  }

  /**
   * Lets go, and gets back what was paid for later and that no other claim uses. What was held for longer than was
   * paid for, for a timer was late, is owed.
   *
   * @param by when its guards had been let go at the latest, where somebody else did that
   * @returns when its guards were let go: by then, or by the guardian long before a hostd that was stopped went on
   */
  drop(claim: Claim, by = this.#options.now()): Micros {
    const { budget, guards, now } = this.#options;
    const { account } = claim;
    guards.release(claim.hold);
    account.claims = account.claims.filter((other) => other !== claim);
    const letGo = Math.min(by, claim.paidUntil + RESTORED_US);
    let needed = Math.min(by, account.paidUntil + RESTORED_US);
    for (const other of account.claims) needed = Math.max(needed, other.paidUntil);
    const unused = account.paidUntil - needed;
    if (unused > 0) {
      budget.refund(account.claimant.payer, account.rate * unused, now());
      account.paidUntil = needed;
    } else if (account.claims.length === 0)
      budget.charge(account.claimant.payer, -account.rate * unused, now());
    if (account.claims.length === 0) this.#forget(account);
    return letGo;
  }

  #account(claimant: Claimant, task: Task, request: WindowRequest): Account {
    const { cpus } = request;
    for (const account of this.#accounts.get(claimant) ?? [])
      if (account.task.tid === task.tid && sameCpus(account.cpus, cpus)) return account;
    const rate = this.#options.guards.price(request) / 1000;
    return { claimant, task, cpus, rate, paidUntil: 0, claims: [] };
  }

  #keep(account: Account): void {
    const accounts = this.#accounts.get(account.claimant);
    if (accounts) accounts.push(account);
    else this.#accounts.set(account.claimant, [account]);
  }

  #forget(account: Account): void {
    const accounts = this.#accounts.get(account.claimant) ?? [];
    if (accounts.length > 1) accounts.splice(accounts.indexOf(account), 1);
    else this.#accounts.delete(account.claimant);
  }

  #pay(account: Account, until: Micros, at: Micros): Refusal | undefined {
    if (this.paused) return { granted: false, reason: 'paused', bucket: 'host', retryMs: 1000 };
    // While it is held every moment is paid for, also one in which a timer was late.
    if (account.claims.length === 0) account.paidUntil = at;
    const { rate, paidUntil: from, claimant } = account;
    if (until <= from) return undefined;
    const wanted = rate * (until - from);
    const grant = this.#options.budget.request(claimant.payer, wanted, at, Math.min(wanted, rate * LEAST_US));
    if (!grant.granted) return grant;
    account.paidUntil = grant.tokens < wanted ? from + grant.tokens / rate : until;
    return undefined;
  }
}

const sameCpus = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((cpu, i) => cpu === b[i]);
