import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prewake, RunningHostd } from '../../../packages/hostd/src/cli/prewake.testkit.ts';
import { KERNEL_CATEGORIES } from '../../../packages/sdk/src/protocol/index.ts';

const directory = join(import.meta.dirname, '..');
const hasPython = spawnSync('python3', ['--version']).status === 0;

function python(args: string[], socket: string) {
  const env = { ...process.env, PREWAKE_SOCKET: socket, PYTHONDONTWRITEBYTECODE: '1' };
  return spawnSync('python3', args, { cwd: directory, env, encoding: 'utf8', timeout: 30_000 });
}

describe.skipIf(!hasPython)(`a client in Python${hasPython ? '' : ' (skipped: there is no python3)'}`, () => {
  const hostd = new RunningHostd();
  beforeAll(() => hostd.start());
  afterAll(() => hostd.remove());

  it('gets a report for each of its steps, with every category known or said to be unknown', async () => {
    const { stdout, stderr, status } = python(['agent.py', '--json'], hostd.socket);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const [first = '', ...lines] = stdout.trim().split('\n');
    const { recorder } = JSON.parse((await prewake(['status', '--json', '--socket', hostd.socket])).out);
    expect(first).toMatch(new RegExp(`^session s\\d+, mode observe, recorder ${recorder.source}$`));

    const reports = lines.map((line) => JSON.parse(line));
    expect(new Set(reports.map(({ step }) => step)).size).toBe(3);
    for (const report of reports) {
      expect(report).toMatchObject({ type: 'report', source: recorder.source });
      const named = [...Object.keys(report.self), ...report.unknown];
      expect(new Set(named).size).toBe(named.length);
      expect(named).toEqual(expect.arrayContaining([...KERNEL_CATEGORIES]));
      // Each step slept until its child had ended: with records, somebody was seen to wake.
      if (report.source === 'bpf' && report.complete) expect(report.wakeups.total).toBeGreaterThan(0);
    }
  });

  it('is told what was wrong with a frame, and goes on', () => {
    const code = `
import prewake
session = prewake.Session()
session.step_end("0123456789abcdef")
session._send({"type": "dance"})
step = session.step("tool", "x")
session.step_end(step)
print(session.report(step)["step"] == step, [frame["code"] for frame in session.others])
`;
    const { stdout, stderr } = python(['-c', code], hostd.socket);
    expect({ stdout, stderr }).toEqual({
      stdout: "True ['PREWAKE_UNKNOWN_STEP', 'PREWAKE_UNKNOWN_TYPE']\n",
      stderr: '',
    });
  });

  it('hears why it is refused', () => {
    const code = `
import prewake
prewake.UPGRADE = "prewake/99"
prewake.Session()
`;
    const { stderr } = python(['-c', code], hostd.socket);
    expect(stderr).toContain('ConnectionError: HTTP/1.1 426');
    expect(stderr).toContain('PREWAKE_VERSION_MISMATCH');
  });
});
