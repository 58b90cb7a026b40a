import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@prewake/source', 'node'] },
  ssr: { resolve: { conditions: ['@prewake/source', 'node'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'examples/*/src/**/*.test.ts',
      'bench/src/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // Children that tests start run what ships: the compiled packages.
    globalSetup: ['scripts/build-once.mjs'],
    env: { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers only take turns.
    maxWorkers: 2,
  },
});
