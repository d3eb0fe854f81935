import { defineConfig } from 'vitest/config';

/** All tests that need nothing but `npm ci` and the embedded defaults. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/engines/**'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // In CI a second try, which the report shows as one: servers that tests start are late at times on a machine that others use, too.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // Tests start databases and servers of their own; more at once than cores only makes them wait for each other.
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
