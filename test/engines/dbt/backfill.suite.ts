/** A backfill whose partitions are runs with a dbt each: counted among the processes, and in the table that they load. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTable, tableState } from '../../../scripts/read-table.ts';
import {
  backfillEnded,
  backfillUntil,
  dayOf,
  partitionsOf,
  startBackfill,
  tellBackfill,
} from '../../support/backfills.ts';
import { dbtProcesses, privateFolders, PROJECT, type Subject } from './subject.ts';

const DAYS = 4;
/** What no model can make a number of, on the third day. */
const BROKEN = 'five';
const quick = { initial_interval: '200ms', max_interval: '1s', max_attempts: 2 };
const dayAt = (n: number) => dayOf(Math.floor(n / 2));

/** Two numbers a day, through dbt, into a table that is partitioned by month. */
async function register({ service, folder }: Subject): Promise<void> {
  await service.register({
    name: 'days',
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(folder, 'days.csv'), format: 'csv' } },
      transformations: [
        // A database of its own for each: two of them work at a time.
        { name: 'by_day', engine: 'dbt', project: PROJECT, select: 'by_day', profile: { type: 'duckdb' } },
      ],
      sinks: { lake: { type: 'iceberg', from: 'by_day', table: 'b.days', mode: 'append', partition_by: ['month(d)'] } },
      partitioning: { column: 'd', size: 'day', timezone: 'UTC' },
      orchestration: { retry: { extract_data: quick, run_dbt: quick, load_to_iceberg: quick } },
    },
  });
}

async function writeDays({ folder }: Subject, third: string): Promise<void> {
  const rows = Array.from({ length: DAYS * 2 }, (_, n) => `${n === 5 ? third : n},${dayAt(n)}`);
  await writeFile(join(folder, 'days.csv'), `n,d\n${rows.join('\n')}\n`);
}

export function backfillSuite(subjectOf: () => Subject): void {
  describe('a backfill with a dbt step in it', () => {
    test('when the service is killed while dbt works, and a model fails for one day, loads each other day once; a retry mends the one', async () => {
      const subject = subjectOf();
      const { service } = subject;
      await register(subject);
      await writeDays(subject, BROKEN);
      const id = await startBackfill(service, { start: dayOf(0), end: dayOf(DAYS), concurrency: 2 }, 'days');
      await backfillUntil(service, id, ({ counts }) => counts.COMPLETED > 0);
      await expect.poll(() => dbtProcesses(subject)).not.toEqual([]);
      await service.kill('service');
      await expect.poll(() => dbtProcesses(subject)).toEqual([]);
      await service.start();

      const failed = await backfillEnded(service, id);
      expect(failed, service.log()).toMatchObject({
        status: 'FAILED',
        reason: `1 of ${DAYS} partitions failed`,
        rows: 6,
      });
      const partitions = await partitionsOf(service, id);
      expect(partitions.map(({ state }) => state)).toEqual(['COMPLETED', 'COMPLETED', 'FAILED', 'COMPLETED']);
      expect(partitions[2]?.error?.message).toMatch(new RegExp(`model by_day: .*${BROKEN}`, 's'));
      expect((await tableState(service.dataDir, 'b.days'))?.snapshots).toBe(DAYS - 1);

      await writeDays(subject, '5');
      expect(await tellBackfill(service, id, 'retry')).toBe(202);
      expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', round: 2, rows: 8 });
      expect((await tableState(service.dataDir, 'b.days'))?.snapshots).toBe(DAYS);
      const query = 'select n::int as n, d::varchar as d, left(since, 10) as since from t order by n';
      expect(await readTable(service.dataDir, 'b.days', 't', query)).toEqual(
        Array.from({ length: DAYS * 2 }, (_, n) => ({ n: 2 * n, d: dayAt(n), since: dayAt(n) })),
      );
      // The mended day had a run in each round, every other one a single run.
      const { body } = await service.call('GET', '/v1/pipelines/executions?trigger=backfill&pipeline=days');
      expect(body['pagination']).toMatchObject({ total: DAYS + 1 });
      expect(await dbtProcesses(subject)).toEqual([]);
      expect(await privateFolders(subject)).toEqual([]);
    });
  });
}
