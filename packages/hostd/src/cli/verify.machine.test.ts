import { expect, it } from 'vitest';
import type { ControlFiles } from '../kernel/control-files.ts';
import { onlineCpus } from '../kernel/cpus.ts';
import { openKernel } from '../kernel/kernel.ts';
import type { Diagnosis } from './doctor.ts';
import { prewake, RunningHostd } from './prewake.testkit.ts';

const limits = (files: ControlFiles) =>
  onlineCpus(files).map((cpu) =>
    files.peek(`sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`),
  );

it('doctor --verify tries each chosen guard, says what it saw, and puts everything back', async (ctx) => {
  if (process.getuid?.() !== 0) ctx.skip('not root: no guard can be armed');
  const { files } = openKernel();
  const before = limits(files);
  const { code, out } = await prewake(['doctor', '--verify', '--json', '--socket', '/nowhere/hostd.sock']);
  expect(code).toBe(0);
  const { capabilities, verified = [] } = JSON.parse(out) as Diagnosis;
  const chosen = capabilities.guards.filter((guard) => guard.chosen).map(({ guard }) => guard);
  expect(verified.map(({ guard }) => guard)).toEqual(chosen);
  for (const verdict of verified) {
    expect(verdict.seen).not.toBe('');
    // Another hostd may hold the controls at this moment, or the CPU be busy: then nothing is known, and it says so.
    if (verdict.works === undefined) expect(verdict.seen).toMatch(/another hostd|nothing/);
    else expect(verdict, verdict.seen).toMatchObject({ works: true });
  }
  expect(limits(files)).toEqual(before);
});

it('doctor --verify leaves the controls to a hostd that runs', async () => {
  const hostd = await new RunningHostd().start();
  try {
    const { code, err } = await prewake(['doctor', '--verify', '--socket', hostd.socket]);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('PREWAKE_ALREADY_RUNNING') });
  } finally {
    await hostd.remove();
  }
});
