import { configDefaults, defineConfig } from 'vitest/config';

/**
 * Tests of this machine's own controls, and those that hold a second witness against the recorder, take turns: there
 * is one hostd for one set of controls, and a busy neighbour makes witnesses lose events.
 */
const MACHINE = [
  'packages/*/src/**/*.machine.test.ts',
  'packages/hostd/src/kernel/bpf/witness/*.test.ts',
  'bench/src/**/*.machine.test.ts',
  'test/attribution/**/*.test.ts',
  'test/machine/**/*.test.ts',
];
const RIG = ['test/rig/**/*.test.ts'];

const conditions = ['@prewake/source', 'node'];
const shared = {
  // Children that tests start run what ships: the compiled packages.
  globalSetup: ['./scripts/build-once.mjs'],
  env: { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
  // Deadlines for machines with noisy neighbours; no test waits for them when all is well.
  testTimeout: 60_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 30_000 } },
};

export default defineConfig({
  test: {
    // Two cores: more workers only take turns.
    maxWorkers: 2,
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          ...shared,
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'examples/*/src/**/*.test.ts',
            'bench/src/**/*.test.ts',
            'test/**/*.test.ts',
          ],
          exclude: [...configDefaults.exclude, '**/dist/**', ...MACHINE, ...RIG],
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          ...shared,
          name: 'machine',
          include: MACHINE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          ...shared,
          name: 'rig',
          include: RIG,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
