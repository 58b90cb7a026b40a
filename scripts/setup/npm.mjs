// npm packages by a pinned pnpm, which npx fetches; Node 24 is among them (`node` in devDependencies).
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from './progress.mjs';
import { binDir, cacheDir, root } from './root.mjs';

const PNPM = 'pnpm@12.21.0';
const stamp = join(cacheDir, 'setup', 'npm.stamp');

/** Does nothing, without network, where node_modules is already what the lockfile says. */
export async function installNpmPackages() {
  const wanted = fingerprint();
  if (existsSync(join(binDir, 'node')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(stamp, { force: true });
  // CI: pnpm must not ask; there may be nobody to answer.
  const env = { ...process.env, CI: 'true' };
  await step('installing npm packages', 'npx', ['--yes', PNPM, 'install', '--frozen-lockfile'], { env });
  mkdirSync(join(cacheDir, 'setup'), { recursive: true });
  writeFileSync(stamp, wanted);
}

function fingerprint() {
  const hash = createHash('sha256').update(`${PNPM} ${process.platform} ${process.arch} ${root}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}
