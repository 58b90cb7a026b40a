import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { defaultPolicyConfig } from './config.ts';
import type { PlannedWindow } from './facts.ts';
import { createPolicy } from './learned-policy.ts';
import { isCovered } from './plan/windows.ts';

const file = new URL('../../../../bench/data/llm-latency.csv', import.meta.url);
const requests: Record<string, string>[] = parse(readFileSync(file, 'utf8'), { columns: true });

/** The streams of all services in turn, as an agent that uses several would see them. */
function replay(armedShare: number) {
  const config = { ...defaultPolicyConfig, armedShare, holdout: 0 };
  const policy = createPolicy(config, { random: () => 0.5 });
  const payer = { user: 1000, cgroup: '/' };
  const byService = new Map<string, Record<string, string>[]>();
  for (const request of requests) {
    const key = `${request.provider}/${request.model}`;
    byService.set(key, [...(byService.get(key) ?? []), request]);
  }
  const longest = Math.max(...[...byService.values()].map(({ length }) => length));
  let at = 0;
  let waits = 0;
  let first = 0;
  let tokens = 0;
  let covered = 0;
  let plans = 0;
  for (let i = 0; i < longest; i++) {
    for (const [key, all] of byService) {
      const request = all[i];
      if (!request) continue;
      const us = (name: string) => Number(request[name]) * 1000;
      const wait = `w${waits++}`;
      const inputTokens = Number(request.input_tokens);
      let windows: readonly PlannedWindow[] = policy.waitStarted({
        ...{ wait, session: 'agent', payer, kind: 'llm', key, at, inputTokens, stream: true },
      }).windows;
      if (isCovered(windows, us('ttft_ms'), 1000)) first++;
      // A stream is one window: each token is covered by a plan that was made before it.
      const count = Math.min(100, Number(request.output_tokens));
      for (let token = 0; token < count; token++) {
        const elapsed = us('ttft_ms') + token * us('inter_token_ms');
        if (token > 0) {
          tokens++;
          if (windows.some(({ arm, disarm }) => arm <= elapsed && elapsed < disarm)) covered++;
        }
        const signal = token === 0 ? 'first_token' : 'token';
        const plan = policy.signal({ wait, signal, at: at + elapsed });
        if (!plan) continue;
        plans++;
        expect(plan.windows.length).toBeLessThanOrEqual(1);
        windows = plan.windows;
      }
      at += us('end_to_end_ms');
      policy.waitEnded({ wait, at });
    }
  }
  return { waits, first: first / waits, tokens: covered / tokens, plansEach: plans / waits };
}

describe('streams of public services', () => {
  it('have their first token predicted from the service’s recent ones, and their cadence in one window', () => {
    const { waits, first, tokens, plansEach } = replay(0.9);
    expect(waits).toBe(requests.length);
    expect(first).toBeGreaterThan(0.9);
    expect(tokens).toBeGreaterThan(0.95);
    // Renewed now and then, and never a plan for each token.
    expect(plansEach).toBeLessThan(12);
  });

  it('give way to first tokens where little may be armed', () => {
    const scarce = replay(0.1);
    expect(scarce.tokens).toBeLessThan(0.5);
    expect(scarce.first).toBeGreaterThan(0.8);
  });
});
