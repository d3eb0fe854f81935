import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Those that take minutes: begun last, one of them would be at work alone. In this order Spark's two, which keep the
 * processor busy, are not at work at a time.
 */
const LONG = ['spark-compute', 'airflow', 'dbt', 'spark', 'flink'].map((name) => `/engines/${name}.test.ts`);

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.findIndex((name) => moduleId.endsWith(name));
      return place === -1 ? LONG.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

const inCi = process.env['CI'] === 'true';

/**
 * The tests against real engines. Most of their time is waiting for an engine, so two files run at once; those that
 * need pyiceberg and Spark as readers share one of each.
 */
export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    globalSetup: ['test/engines/start-judge.ts'],
    pool: 'forks',
    // In CI a second try, which the report shows as one: the engines themselves give up at times on a machine that others use, too.
    retry: inCi ? 1 : 0,
    // What the death of a server takes with it need not be waited for to the end.
    bail: inCi ? 10 : 0,
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
