import type { LiveStep } from '../step.ts';

/**
 * Which steps are open on this thread, and whether they overlap. A chain of parents and one child is no overlap:
 * the innermost step is then taken as the one whose code runs. Two leaves are.
 */
export class Overlap {
  readonly open = new Set<LiveStep>();
  /** Open steps without an open child. */
  leaves = 0;
  readonly #children = new Map<LiveStep, number>();

  start(step: LiveStep): void {
    this.open.add(step);
    this.leaves++;
    const { parent } = step;
    if (!parent || !this.open.has(parent)) return;
    const siblings = this.#children.get(parent) ?? 0;
    this.#children.set(parent, siblings + 1);
    if (siblings === 0) this.leaves--;
  }

  end(step: LiveStep): void {
    if (!this.open.delete(step)) return;
    // A step that ends before its children was no leaf; they go on without it.
    if (!this.#children.delete(step)) this.leaves--;
    const { parent } = step;
    if (!parent) return;
    const siblings = this.#children.get(parent);
    if (siblings === undefined) return;
    if (siblings > 1) this.#children.set(parent, siblings - 1);
    else {
      this.#children.delete(parent);
      this.leaves++;
    }
  }

  isLeaf(step: LiveStep): boolean {
    return this.open.has(step) && !this.#children.has(step);
  }

  /** The only leaf; undefined where there is none or more than one. */
  get leaf(): LiveStep | undefined {
    if (this.leaves !== 1) return undefined;
    for (const step of this.open) if (!this.#children.has(step)) return step;
    return undefined;
  }
}
