import { expect, it } from 'vitest';
import type { LiveStep } from '../step.ts';
import { Overlap } from './overlap.ts';

// Only identity and parent of a step matter here.
const stepOf = (parent?: LiveStep) => ({ parent }) as LiveStep;

it('a chain is no overlap, two leaves are', () => {
  const overlap = new Overlap();
  const agent = stepOf();
  const model = stepOf(agent);
  const [a, b] = [stepOf(agent), stepOf(agent)];
  overlap.start(agent);
  expect([overlap.leaves, overlap.leaf]).toEqual([1, agent]);
  overlap.start(model);
  expect([overlap.leaves, overlap.leaf]).toEqual([1, model]);
  overlap.end(model);
  overlap.start(a);
  overlap.start(b);
  expect([overlap.leaves, overlap.leaf]).toEqual([2, undefined]);
  overlap.end(a);
  overlap.end(a);
  expect([overlap.leaves, overlap.leaf]).toEqual([1, b]);
  overlap.end(b);
  expect([overlap.leaves, overlap.leaf]).toEqual([1, agent]);
  overlap.end(agent);
  expect([overlap.leaves, overlap.leaf, overlap.open.size]).toEqual([0, undefined, 0]);
});

it('random trees: leaves are the open steps without an open child, whatever the order of ends', () => {
  for (let round = 0; round < 200; round++) {
    const overlap = new Overlap();
    const open: LiveStep[] = [];
    const all: LiveStep[] = [];
    for (let i = 0; i < 60; i++) {
      if (open.length > 0 && Math.random() < 0.45) {
        const [gone] = open.splice(Math.floor(Math.random() * open.length), 1);
        overlap.end(gone as LiveStep);
      } else {
        const step = stepOf(Math.random() < 0.7 ? all[Math.floor(Math.random() * all.length)] : undefined);
        open.push(step);
        all.push(step);
        overlap.start(step);
      }
      const leaves = open.filter((step) => !open.some((other) => other.parent === step));
      expect(overlap.leaves).toBe(leaves.length);
      expect(overlap.leaf).toBe(leaves.length === 1 ? leaves[0] : undefined);
    }
  }
});
