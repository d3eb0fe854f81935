/**
 * A backfill of many partitions, the service killed on the way: the service, its Temporal server, DuckDB, the registry and
 * the Iceberg table are real. `npm run bench` does the same with 10,000.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DuckDBInstance } from '@duckdb/node-api';
import { readTable, tableState } from '../../scripts/read-table.ts';
import { backfillEnded, backfillUntil, startBackfill } from '../support/backfills.ts';
import { Service } from '../support/service.ts';

const HOURS = 240;
const FIRST_MS = Date.parse('2020-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const hour = (n: number) => new Date(FIRST_MS + n * HOUR_MS).toISOString();

let service: Service;
beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
});
afterAll(() => service[Symbol.asyncDispose]());

/** How many events each run of the workflow has. */
function historyLengths(workflowId: string): Promise<number[]> {
  return service.withTemporal(async (client) => {
    const lengths: number[] = [];
    for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      lengths.push(run.historyLength);
    }
    return lengths;
  });
}

test('240 hours, when the service is killed three times on the way, are each loaded once, and little is left of the way', async () => {
  const source = join(service.folder, 'hours.parquet');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = `select timestamp '2020-01-01' + interval (n) hour as h, n::bigint as n from range(${HOURS}) as r(n)`;
  await connection.run(`copy (${rows}) to '${source}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
  await service.register({
    name: 'hourly',
    version: '1',
    definition: {
      sources: { hours: { type: 'file', path: source, format: 'parquet' } },
      transformations: [{ name: 'same', engine: 'sql', sql: 'select h, n from hours' }],
      sinks: { lake: { type: 'iceberg', from: 'same', table: 'b.hours', partition_by: ['day(h)'] } },
      partitioning: { column: 'h', size: 'hour', timezone: 'UTC' },
      orchestration: { retry: { process_partition: { initial_interval: '1s' } } },
    },
  });
  const id = await startBackfill(service, { start: hour(0), end: hour(HOURS), concurrency: 8 }, 'hourly');
  for (const [at, what] of [
    [50, 'service'],
    [110, 'everything'],
    [170, 'service'],
  ] as const) {
    await backfillUntil(service, id, ({ counts }) => counts.COMPLETED >= at, 200_000);
    await service.kill(what);
    await service.start();
  }
  const ended = await backfillEnded(service, id, 200_000);
  expect(ended).toMatchObject({ status: 'COMPLETED', partitions: HOURS, rows: HOURS });
  expect(ended.counts).toMatchObject({ COMPLETED: HOURS });

  const counts =
    'select count(*)::int as rows, count(distinct n)::int as numbers, count(distinct h)::int as hours from t';
  expect(await readTable(service.dataDir, 'b.hours', 't', counts)).toEqual([
    { rows: HOURS, numbers: HOURS, hours: HOURS },
  ]);
  // One commit each: none was loaded twice.
  const state = await tableState(service.dataDir, 'b.hours');
  expect(state?.commits).toBe(HOURS);
  expect(state?.snapshots).toBeLessThanOrEqual(101);
  const ledgers = Object.entries(state?.properties ?? {}).filter(([key]) => key.startsWith('pipeline.'));
  expect(ledgers.map(([key, value]) => [key, (JSON.parse(value) as { ranges: unknown }).ranges])).toEqual([
    [`pipeline.partitions.${id}.1/lake`, [[FIRST_MS, FIRST_MS + HOURS * HOUR_MS]]],
  ]);
  expect(Math.max(...(await historyLengths(ended.workflowId)))).toBeLessThan(10_000);
}, 800_000);
