/** Half a year of real flights, one partition a day, against one load of the whole; nothing stands in. */
import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable, tableState } from '../../scripts/read-table.ts';
import { backfillEnded, partitionsOf, startBackfill, tellBackfill } from '../support/backfills.ts';
import { Service } from '../support/service.ts';

const FLIGHTS = join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet');
/** Six flights are of midnight, the last. */
const DAYS = 182;
const BROKEN = ['2001-02-11', '2001-05-30'];
const range = { start: '2001-01-01', end: '2001-07-02' };
/** Says of a table's rows all that may differ, whatever their order. */
const ROWS =
  'select count(*)::int as rows, sum(hash(date, delay, distance, origin, destination))::varchar as sum from t';

let service: Service;
/** What one load of the whole left. */
let whole: Record<string, unknown> | undefined;

const fileOf = (day: string) => join(service.folder, 'days', `${day}T00:00:00+00:00.parquet`);
const rowsOf = async (table: string) => (await readTable(service.dataDir, table, 't', ROWS))[0];

function pipeline(name: string, path: string, table: string) {
  return {
    name,
    version: '1',
    definition: {
      sources: { flights: { type: 'file', path, format: 'parquet' } },
      sinks: { lake: { type: 'iceberg', from: 'flights', table, mode: 'append', partition_by: ['month(date)'] } },
      partitioning: { column: 'date', size: 'day', timezone: 'UTC' },
      orchestration: { retry: { process_partition: { max_attempts: 1 } } },
    },
  };
}

beforeAll(async () => {
  service = await Service.start();
  const folder = join(service.folder, 'days');
  await mkdir(folder);
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run('SET threads = 1'); // One file a day.
  await connection.run(`COPY (SELECT *, strftime(date, '%Y-%m-%d') AS day FROM '${FLIGHTS}')
    TO '${folder}' (FORMAT parquet, PARTITION_BY (day), OVERWRITE_OR_IGNORE)`);
  connection.closeSync();
  for (const name of await readdir(folder)) {
    const [file = '', ...others] = await readdir(join(folder, name));
    expect(others).toEqual([]);
    await rename(join(folder, name, file), fileOf(name.slice('day='.length)));
  }
  await service.register(pipeline('whole', FLIGHTS, 'lab.whole'));
  await service.register(pipeline('by-day', join(folder, '${interval_start}.parquet'), 'lab.by_day'));
  await service.register(pipeline('days-of-whole', join(folder, '${interval_start}.parquet'), 'lab.whole'));
  const { workflowId } = await service.execute('whole');
  expect(await service.ended(workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
  whole = await rowsOf('lab.whole');
}, 240_000);
afterAll(() => service[Symbol.asyncDispose]());

test('half a year, when the files of two days are broken, fails in those alone; mended, it is row for row the whole', async () => {
  for (const day of BROKEN) {
    await copyFile(fileOf(day), join(service.folder, day));
    await writeFile(fileOf(day), 'no flights today');
  }
  const id = await startBackfill(service, range, 'by-day');
  const failed = await backfillEnded(service, id, 240_000);
  expect(failed).toMatchObject({ status: 'FAILED', partitions: DAYS, counts: { COMPLETED: DAYS - 2, FAILED: 2 } });
  const broken = await partitionsOf(service, id, '&state=FAILED');
  expect(broken.map(({ start }) => start.slice(0, 10))).toEqual(BROKEN);

  for (const day of BROKEN) await copyFile(join(service.folder, day), fileOf(day));
  expect(await tellBackfill(service, id, 'retry')).toBe(202);
  const mended = await backfillEnded(service, id, 60_000);
  expect(mended).toMatchObject({ status: 'COMPLETED', rows: 3_000_000, counts: { COMPLETED: DAYS } });
  expect(await rowsOf('lab.by_day')).toEqual(whole);
}, 300_000);

test('the same, when it is asked for again with reprocess none, does nothing', async () => {
  const before = await tableState(service.dataDir, 'lab.by_day');
  const id = await startBackfill(service, { ...range, reprocess: 'none' }, 'by-day');
  expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', rows: 0, counts: { SKIPPED: DAYS } });
  expect(await tableState(service.dataDir, 'lab.by_day')).toEqual(before);
});

test('days, when the table has them in files of whole months, are replaced, and the other days are kept', async () => {
  const some = { start: '2001-03-30', end: '2001-04-03' };
  const id = await startBackfill(service, some, 'days-of-whole');
  expect(await backfillEnded(service, id, 120_000)).toMatchObject({ status: 'COMPLETED', counts: { COMPLETED: 4 } });
  expect(await rowsOf('lab.whole')).toEqual(whole);
}, 150_000);
