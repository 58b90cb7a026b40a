import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseTrace } from '../policy/simulate/index.ts';
import { simulateCommand } from './simulate.ts';

const trace = fileURLToPath(new URL('../../../../bench/data/agent-waits.csv', import.meta.url));

let dir: string;
let printed: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-simulate-'));
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

function run(...args: string[]) {
  return simulateCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(args, { from: 'user' });
}

describe('prewake simulate', () => {
  it('writes windows that give, counted independently, the coverage and armed share that it prints', async () => {
    const file = join(dir, 'windows.csv');
    await run('--trace', trace, '--armed-share', '0.1', '--windows', file, '--json');
    const rows = parseTrace(readFileSync(trace, 'utf8'), trace);
    const covered = new Set<number>();
    let armed = 0;
    for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
      expect(line).toMatch(/^\d+,[\d.]+,[\d.]*$/);
      const [wait, arm, end] = line.split(',') as [string, string, string];
      const { waitMs } = rows[Number(wait)] as { waitMs: number };
      const disarm = end === '' ? Number.POSITIVE_INFINITY : Number(end);
      armed += Math.max(0, Math.min(disarm, waitMs) - Number(arm));
      if ((Number(arm) === 0 || Number(arm) + 1 <= waitMs) && waitMs < disarm) covered.add(Number(wait));
    }
    const total = rows.reduce((sum, { waitMs }) => sum + waitMs, 0);
    const { policies } = JSON.parse(printed);
    expect(policies[0].name).toBe('prewake');
    expect(policies[0].summary.coverage).toBeCloseTo(covered.size / rows.length, 3);
    expect(policies[0].summary.armedShare).toBeCloseTo(armed / total, 5);
    expect(armed / total).toBeLessThanOrEqual(0.1);
  });

  it('prints a table by kind, beside the other policies', async () => {
    await run('--trace', trace, '--armed-share', '0.25');
    for (const word of [
      'prewake',
      'always-armed',
      'fixed-timeout',
      'plain-hazard',
      'oracle',
      'llm covered',
      'tool covered',
    ]) {
      expect(printed).toContain(word);
    }
  });

  it.each([
    [['--trace', '/nowhere.csv', '--armed-share', '0.1'], 'PREWAKE_USAGE'],
    [['--trace', 'bad.csv', '--armed-share', '0.1'], 'PREWAKE_USAGE'],
    [['--trace', trace, '--armed-share', '0.1', '--windows', '/nowhere/out.csv'], 'PREWAKE_USAGE'],
    [['--trace', trace, '--armed-share', '1.1'], 'commander.invalidArgument'],
    [['--trace', trace, '--armed-share', 'NaN'], 'commander.invalidArgument'],
    [['--trace', trace, '--armed-share', '0.1', '--lead-ms', '-1'], 'commander.invalidArgument'],
    [['--trace', trace], 'commander.missingMandatoryOptionValue'],
    [['--armed-share', '0.1'], 'commander.missingMandatoryOptionValue'],
  ])('refuses %j', async (args, code) => {
    const bad = join(dir, 'bad.csv');
    writeFileSync(bad, 'session,kind,key,start_ms,wait_ms,input_tokens\ns,llm,k,0,x,\n');
    await expect(run(...args.map((arg) => (arg === 'bad.csv' ? bad : arg)))).rejects.toMatchObject({ code });
  });
});
