// What `scripts/setup.mjs` can run, and which Debian packages each wants.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { exit, SetupError, step } from './progress.mjs';
import { binDir, root, taskEnv } from './root.mjs';
import { runTests } from './test-task.mjs';

const runtime = ['libbpf1'];
// The independent witnesses, what CI compares the BPF object with, and the clients of the tests.
const testTools = [
  ...['clang', 'llvm', 'libbpf-dev', 'bpftool', 'bpftrace', 'linux-perf', 'strace'],
  ...['curl', 'python3', 'procps', 'util-linux'],
];

const need = (install, unpack = []) => ({ install, unpack });

export const tasks = {
  setup: { debian: () => need(runtime), run: () => build().then(() => 0) },
  demo: { debian: () => need(runtime), run: (args) => runBuilt('bench/dist/demo/main.js', args) },
  prewake: {
    debian: () => need(runtime),
    // Its first line names Node, and the flags that it needs.
    run: (args) => runBuilt('packages/hostd/bin/prewake', args, []),
  },
  bench: {
    debian: () => need([...runtime, ...testTools]),
    run: (args) => runBuilt('bench/dist/main.js', args),
  },
  test: {
    debian: () => need([...runtime, ...testTools, ...rigPackages()], ['prometheus']),
    run: runTests,
  },
};

function rigPackages() {
  const file = join(root, 'test', 'rig', 'debian-packages.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
}

function build() {
  return step('compiling', join(binDir, 'tsc'), ['-b'], { env: taskEnv() });
}

async function runBuilt(entry, args, by = [join(binDir, 'node')]) {
  await build();
  const script = join(root, entry);
  if (!existsSync(script)) throw new SetupError(`${relative(root, script)} is not there after compiling`);
  const [command, ...rest] = [...by, script, ...args];
  const child = spawn(command, rest, {
    stdio: 'inherit',
    env: taskEnv(),
    // Relative paths on the command line are relative to where the caller stands, not to this checkout.
    cwd: process.env.INIT_CWD ?? process.cwd(),
  });
  return (await exit(child)).code;
}
