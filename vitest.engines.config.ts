import { defineConfig } from 'vitest/config';

/** The tests against real engines. They share one Spark, so they run one file after the other. */
export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    globalSetup: ['test/engines/start-judge.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
