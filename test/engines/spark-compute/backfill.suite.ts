/** A backfill whose partitions work on the cluster: one job for each step of a day, and the rows that DuckDB makes. */
import { glob, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTable } from '../../../scripts/read-table.ts';
import { backfillEnded, dayOf, partitionsOf, startBackfill } from '../../support/backfills.ts';
import { type Engine, judgeOf, QUICK_RETRIES, type Subject } from './subject.ts';

const DAYS = 4;
const ENGINES = ['duckdb', 'spark'] as const satisfies Engine[];
const WITHIN_MS = 240_000;
const tableOf = (engine: Engine) => `lab.days_on_${engine}`;
const dayAt = (n: number) => dayOf(Math.floor(n / 3));
const scaled = (n: number, factor: number) => ({ d: dayAt(n), n: n * factor });

export function backfillSuite(subject: () => Subject): void {
  const csv = () => join(subject().service.folder, 'days.csv');
  const writeDays = async (factor: number) => {
    const rows = Array.from({ length: DAYS * 3 }, (_, n) => `${dayAt(n)},${n * factor}`);
    await writeFile(csv(), `d,n\n${rows.join('\n')}\n`);
  };
  /** Three numbers a day into a table that is partitioned by month. */
  const register = (table: string, compute: Engine) =>
    subject().service.register({
      name: table.replaceAll(/\W|_/g, '-'),
      version: '1',
      definition: {
        sources: { days: { type: 'file', path: csv(), format: 'csv' } },
        sinks: { lake: { type: 'iceberg', from: 'days', table, mode: 'append', partition_by: ['month(d)'] } },
        partitioning: { column: 'd', size: 'day', timezone: 'UTC' },
        orchestration: { compute, retry: QUICK_RETRIES },
      },
    });
  const begin = (pipelineId: string, from: number, to: number) =>
    startBackfill(
      subject().service,
      { start: dayOf(from), end: dayOf(to), reprocess: 'completed', concurrency: 2 },
      pipelineId,
    );

  describe('a backfill with compute: spark', () => {
    test(
      'when the service is killed while jobs of it work, replaces its days alone, by the rows that DuckDB makes',
      async () => {
        const { spark, service } = subject();
        const before = (await spark.drivers()).length;
        // The embedded engine loads all days into both tables; then two of them have other numbers.
        await writeDays(1);
        const all = await Promise.all(
          ENGINES.map(async (engine) => begin(await register(tableOf(engine), 'duckdb'), 0, DAYS)),
        );
        for (const id of all) {
          expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', rows: DAYS * 3 });
        }
        await writeDays(10);
        const there = await begin(await register(tableOf('spark'), 'spark'), 1, 3);
        const working = join(service.dataDir, `staging/*/*/${there}-1-*/load-lake/ps-*/alive`);
        await expect.poll(async () => (await glob(working).next()).done, { timeout: WITHIN_MS }).toBe(false);
        await service.kill('everything');
        await service.start();
        const here = await begin(await register(tableOf('duckdb'), 'duckdb'), 1, 3);
        for (const id of [here, there]) {
          const ended = await backfillEnded(service, id, WITHIN_MS);
          expect(ended, JSON.stringify(await partitionsOf(service, id))).toMatchObject({
            status: 'COMPLETED',
            rows: 6,
          });
        }

        // The other two days keep their numbers, though all share a partition of the table.
        const expected = Array.from({ length: DAYS * 3 }, (_, n) => scaled(n, n < 3 || n >= 9 ? 1 : 10));
        const query = 'select d::varchar as d, n::int as n from t order by d, n';
        const judge = judgeOf(subject());
        for (const engine of ENGINES) {
          expect(await readTable(service.dataDir, tableOf(engine), 't', query), engine).toEqual(expected);
          // Of the first four days, and of each that was replaced: none was loaded twice.
          const history = await judge.history(tableOf(engine));
          expect(history, engine).toHaveLength(DAYS + 2);
          expect(await judge.audit(tableOf(engine), [history.at(-1)?.snapshotId ?? '']), engine).toEqual([]);
        }
        expect(await judge.schema('pyiceberg', tableOf('spark'))).toEqual(
          await judge.schema('pyiceberg', tableOf('duckdb')),
        );
        // For each of the two days: one that extracts and one that loads.
        const states = (await spark.drivers()).slice(before).map(({ state }) => state);
        expect(states).toEqual(Array.from({ length: 4 }, () => 'FINISHED'));
      },
      2 * WITHIN_MS,
    );
  });
}
