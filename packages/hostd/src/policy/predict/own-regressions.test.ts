import { describe, expect, it } from 'vitest';
import { classRows, newClass, newKind } from './classes.ts';
import { OwnRegressions } from './own-regressions.ts';

const rows = classRows(1);

/** A class that has been seen often. */
function often(id: number) {
  const cls = newClass(id, 'llm', `k${id}`, 1, rows);
  for (let i = 0; i < 100; i++) cls.histogram.add(20, 1);
  return cls;
}

describe('regressions of classes', () => {
  it('are asked once they know enough, and the kind’s until then', () => {
    const kind = newKind(1, 'llm', 1, 2);
    const regressions = new OwnRegressions();
    const [slow, rare] = [often(2), newClass(3, 'llm', 'rare', 1, rows)];
    expect(regressions.of(slow, kind)).toBe(kind.regression);
    for (let i = 0; i < 60; i++) {
      regressions.learn(slow, kind, { features: [1, i % 3], us: 1e6 * 2 ** (i % 3), always: true });
      regressions.learn(rare, kind, { features: [1, i % 3], us: 1e4, always: true });
    }
    expect(regressions.of(slow, kind)).not.toBe(kind.regression);
    expect(regressions.of(rare, kind)).toBe(kind.regression);
    expect(kind.regression.events).toBe(120);
  });

  it('are bounded', () => {
    const kind = newKind(1, 'llm', 1, 2);
    const regressions = new OwnRegressions();
    for (let id = 2; id < 1000; id++)
      regressions.learn(often(id), kind, { features: [1, 0], us: 1e6, always: true });
    expect(regressions.known.size).toBe(256);
  });
});
