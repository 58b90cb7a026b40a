import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { restoreOnSignal } from './on-signal.ts';

const POLICIES = 'sys/devices/system/cpu/cpufreq';

function governors(root: string): string[] {
  const dir = `${root}${POLICIES}`;
  return existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => /^policy\d+$/.test(name))
        .map((name) => `${dir}/${name}`)
    : [];
}

/** Whether every frequency policy has the performance governor; false where there is no policy. */
export function hasPerformanceGovernor(root = '/'): boolean {
  const policies = governors(root);
  return (
    policies.length > 0 &&
    policies.every((policy) =>
      readFileSync(`${policy}/scaling_available_governors`, 'utf8').split(/\s+/).includes('performance'),
    )
  );
}

/** Sets the performance governor everywhere; the function that is returned puts back what was there. */
export function holdPerformanceGovernor(root = '/'): () => void {
  const before = governors(root).map((policy) => {
    const file = `${policy}/scaling_governor`;
    return { file, governor: readFileSync(file, 'utf8').trim() };
  });
  const restore = () => {
    for (const { file, governor } of before) writeFileSync(file, governor);
    done();
  };
  const done = restoreOnSignal(restore);
  try {
    for (const { file } of before) writeFileSync(file, 'performance');
  } catch (error) {
    restore();
    throw error;
  }
  return restore;
}
