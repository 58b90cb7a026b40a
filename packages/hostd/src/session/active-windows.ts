import type { Micros } from '@prewake/sdk/protocol';
import type { Claim, Claimant, Claims, Refusal } from './claims.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

/** One thread's. */
interface Active {
  readonly tid: number;
  readonly claim: Claim;
  deadline: Deadline | undefined;
}

/** A wakeup keeps guards for a while where its thread runs, and each further wakeup of that thread renews them. */
export class ActiveWindows {
  readonly #claims: Claims;
  readonly #deadlines: Deadlines;
  readonly #now: () => Micros;
  readonly #lengthUs: number;
  /** By session: few, mostly one. */
  readonly #open = new Map<string, Active[]>();

  /** @param lengthUs 0: none are opened */
  constructor(claims: Claims, deadlines: Deadlines, now: () => Micros, lengthUs: number) {
    this.#claims = claims;
    this.#deadlines = deadlines;
    this.#now = now;
    this.#lengthUs = lengthUs;
  }

  isOpen(claimant: Claimant, thread: number | undefined): boolean {
    return this.#of(claimant, claimant.task(thread).tid) !== undefined;
  }

  /**
   * A thread has woken.
   * @param woken when; where that is longer ago than a window lasts, there is none
   */
  renew(claimant: Claimant, thread: number | undefined, woken: Micros): Refusal | undefined {
    const until = woken + this.#lengthUs;
    const leftUs = until - this.#now();
    if (leftUs <= 0) return undefined;
    const { tid } = claimant.task(thread);
    const running = this.#of(claimant, tid);
    if (running && this.#claims.fits(running.claim)) {
      const refused = this.#claims.extend(running.claim, Math.max(until, running.claim.paidUntil));
      if (refused !== 'lost') {
        if (!refused) this.#endWhenPaid(claimant.id, running);
        return undefined;
      }
    }
    const claim = this.#claims.open(claimant, thread, `active ${claimant.id}`, leftUs, 'awake');
    // Afterwards: what both hold is not written twice.
    if (running) this.#end(claimant.id, running);
    if (!claim || 'granted' in claim) return claim;
    const active: Active = { tid, claim, deadline: undefined };
    this.#endWhenPaid(claimant.id, active);
    const others = this.#open.get(claimant.id);
    if (others) others.push(active);
    else this.#open.set(claimant.id, [active]);
    return undefined;
  }

  /** @param by when its guards had been let go at the latest, where somebody else did that */
  endOf(session: string, by?: Micros): void {
    for (const active of [...(this.#open.get(session) ?? [])]) this.#end(session, active, by);
  }

  endAll(by?: Micros): void {
    for (const session of [...this.#open.keys()]) this.endOf(session, by);
  }

  #of(claimant: Claimant, tid: number): Active | undefined {
    for (const active of this.#open.get(claimant.id) ?? []) if (active.tid === tid) return active;
    return undefined;
  }

  #endWhenPaid(session: string, active: Active): void {
    this.#deadlines.cancel(active.deadline);
    active.deadline = this.#deadlines.at(active.claim.paidUntil, () => this.#end(session, active));
  }

  #end(session: string, active: Active, by?: Micros): void {
    const all = this.#open.get(session) ?? [];
    if (all.length > 1) all.splice(all.indexOf(active), 1);
    else this.#open.delete(session);
    this.#deadlines.cancel(active.deadline);
    this.#claims.drop(active.claim, by);
  }
}
