import { defineConfig } from 'vitest/config';

const inCi = process.env['CI'] === 'true';

/** All tests that need nothing but `npm ci` and the embedded defaults. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/engines/**'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // In CI a second try, which the report shows as one: servers that tests start are late at times on a machine that others use, too.
    retry: inCi ? 1 : 0,
    // What the death of a server takes with it need not be waited for to the end.
    bail: inCi ? 10 : 0,
    // Tests start databases and servers of their own; more at once than cores only makes them wait for each other.
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
