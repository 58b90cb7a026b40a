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
  readonly tid: number;
  readonly cpus: readonly number[];
  /** Tokens for each armed microsecond. */
  readonly rate: number;
  paidUntil: Micros;
  /** Few: mostly one. */
  claims: readonly Claim[];
}

/** A lease outlives what is paid for by this much, so that the renewal, and not the expiry, decides. */
const LEASE_GRACE_US = 20_000;

export interface ClaimsOptions {
  budget: Budget;
  guards: GuardController;
  now: () => Micros;
  /** Home CPU of a thread, then the CPU that handled its last completion: the ones worth arming. */
  cpusOf: (tgid: number, tid: number, now: Micros) => number[];
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

  constructor(options: ClaimsOptions) {
    this.#options = options;
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
    return this.#options.cpusOf(tgid, tid, this.#options.now());
  }

  /**
   * @param thread as the client names it
   * @param awake it runs just now
   */
  open(
    claimant: Claimant,
    thread: number | undefined,
    reason: string,
    lengthUs: number,
    awake = false,
  ): Claim | Refusal {
    const { guards, cpusOf, idleLatencyUs, now } = this.#options;
    const task = claimant.task(thread);
    const at = now();
    const cpus = cpusOf(task.tgid, task.tid, at);
    const request: WindowRequest = {
      owner: claimant.id,
      reason,
      cpus,
      tasks: [task],
      latencyUs: idleLatencyUs,
      awake: awake ? cpus[0] : undefined,
      expiresAt: at + lengthUs + LEASE_GRACE_US,
    };
    const account = this.#account(claimant, task.tid, request);
    const refusal = this.#pay(account, at + lengthUs, at);
    if (refusal) return refusal;
    const claim: Claim = { hold: guards.arm(request), since: at, paidUntil: at + lengthUs, account };
    if (account.claims.length === 0) this.#keep(account);
    account.claims = account.claims.concat(claim);
    return claim;
  }

  /** Pays for more; the guards stay held until then. */
  extend(claim: Claim, until: Micros): Refusal | undefined {
    const refusal = this.#pay(claim.account, until, this.#options.now());
    if (refusal) return refusal;
    claim.paidUntil = until;
    this.#options.guards.extend(claim.hold, until + LEASE_GRACE_US);
    return undefined;
  }

  /**
   * Lets go, and gets back what was paid for later and that no other claim uses. What was held for longer than was
   * paid for, for a timer was late, is owed.
   *
   * @returns when its guards were let go: by now, or by the guardian long before a hostd that was stopped went on
   */
  drop(claim: Claim): Micros {
    const { budget, guards, now } = this.#options;
    const { account } = claim;
    guards.release(claim.hold);
    account.claims = account.claims.filter((other) => other !== claim);
    const at = now();
    const letGo = Math.min(at, claim.paidUntil + RESTORED_US);
    let needed = Math.min(at, account.paidUntil + RESTORED_US);
    for (const other of account.claims) needed = Math.max(needed, other.paidUntil);
    const unused = account.paidUntil - needed;
    if (unused > 0) {
      budget.refund(account.claimant.payer, account.rate * unused, at);
      account.paidUntil = needed;
    } else if (account.claims.length === 0) budget.charge(account.claimant.payer, -account.rate * unused, at);
    if (account.claims.length === 0) this.#forget(account);
    return letGo;
  }

  #account(claimant: Claimant, tid: number, request: WindowRequest): Account {
    const { cpus } = request;
    for (const account of this.#accounts.get(claimant) ?? [])
      if (account.tid === tid && sameCpus(account.cpus, cpus)) return account;
    const rate = this.#options.guards.price(request) / 1000;
    return { claimant, tid, cpus, rate, paidUntil: 0, claims: [] };
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
    const from = account.claims.length > 0 ? account.paidUntil : at;
    if (until <= from) return undefined;
    const grant = this.#options.budget.request(account.claimant.payer, account.rate * (until - from), at);
    if (!grant.granted) return grant;
    account.paidUntil = until;
    return undefined;
  }
}

const sameCpus = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((cpu, i) => cpu === b[i]);
