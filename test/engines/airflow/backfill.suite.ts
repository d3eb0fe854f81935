/** Backfills whose partitions are runs with a DAG each: counted in Airflow, and in the table that they load. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readTable, tableState } from '../../../scripts/read-table.ts';
import {
  backfillEnded,
  backfillUntil,
  dayOf,
  partitionsOf,
  startBackfill,
  tellBackfill,
} from '../../support/backfills.ts';
import { killAt, LOOK } from './crashes.suite.ts';
import { linesOf, type Subject } from './subject.ts';

const DAYS = 4;
const quick = { initial_interval: '500ms', max_interval: '2s', max_attempts: 3 };

/** Two rows a day, through a DAG, into a table that is partitioned by month. */
async function register({ service }: Subject, name: string, dag: Record<string, unknown>): Promise<void> {
  const rows = Array.from({ length: DAYS * 2 }, (_, n) => `${n},${dayOf(Math.floor(n / 2))}`);
  await writeFile(join(service.folder, 'days.csv'), `n,d\n${rows.join('\n')}\n`);
  await service.register({
    name,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(service.folder, 'days.csv'), format: 'csv' } },
      transformations: [{ name: 'dag', engine: 'airflow', ...dag }],
      sinks: {
        lake: { type: 'iceberg', from: 'dag', table: `b.${name}`, mode: 'append', partition_by: ['month(d)'] },
      },
      partitioning: { column: 'd', size: 'day', timezone: 'UTC' },
      orchestration: {
        concurrency: { max_runs: 1 },
        retry: { extract_data: quick, trigger_airflow_dag: quick, load_to_iceberg: quick },
      },
    },
  });
}

export function backfillSuite(subject: () => Subject): void {
  const range = { start: dayOf(0), end: dayOf(DAYS), concurrency: 2 };

  describe('a backfill with a DAG in it', () => {
    test('when everything is killed while DAGs work, and one of them fails, runs one DAG a day; a retry mends the one', async () => {
      const { airflow, service, proxy } = subject();
      const journal = join(service.folder, 'daily.journal');
      const broken = (day: string) => join(service.folder, `broken-${day}`);
      const conf = { journal, seconds: 2, broken: broken('${interval_start}') };
      await register(subject(), 'dags', { dag_id: 'double_numbers', conf });
      await writeFile(broken(`${dayOf(2)}T00:00:00+00:00`), '');

      const killed = killAt(subject(), { at: 'answer', ...LOOK, state: 'running' });
      proxy.hooks = killed.hooks;
      const id = await startBackfill(service, range, 'dags');
      await killed.done;
      proxy.hooks = {};
      await service.start();
      expect(await backfillEnded(service, id, 180_000)).toMatchObject({
        status: 'FAILED',
        reason: `1 of ${DAYS} partitions failed`,
        rows: 6,
      });
      const partitions = await partitionsOf(service, id);
      expect(partitions.map(({ state }) => state)).toEqual(['COMPLETED', 'COMPLETED', 'FAILED', 'COMPLETED']);
      expect(partitions[2]?.error?.message).toContain('ValueError: broken');
      for (const { executionId = '', start, state } of partitions) {
        // What Airflow itself fails, its task starved, has a successor; nothing else has.
        const runs = await airflow.runsOf('double_numbers', executionId);
        const succeeded = runs.filter((run) => run.state === 'success');
        expect(succeeded).toHaveLength(state === 'COMPLETED' ? 1 : 0);
        expect(runs.filter((run) => run.state === 'failed')).toHaveLength(runs.length - succeeded.length);
        expect(runs[0]?.conf['pipeline']).toMatchObject({ intervalStart: start.replace('T00:00:00', 'T00:00:00.000') });
      }
      const worked = await linesOf(journal);
      expect(new Set(worked).size).toBe(worked.length);
      const { body } = await service.call('GET', '/v1/pipelines/executions?trigger=backfill&pipeline=dags');
      expect(body['pagination']).toMatchObject({ total: DAYS });

      await rm(broken(`${dayOf(2)}T00:00:00+00:00`));
      expect(await tellBackfill(service, id, 'retry')).toBe(202);
      expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', round: 2, rows: 8 });
      expect((await tableState(service.dataDir, 'b.dags'))?.snapshots).toBe(DAYS);

      // Done again, a day replaces its own rows.
      const again = { start: dayOf(1), end: dayOf(2), reprocess: 'completed' };
      expect(await backfillEnded(service, await startBackfill(service, again, 'dags'))).toMatchObject({ rows: 2 });
      const query = 'select n::int as n, d::varchar as d from t order by n';
      const expected = Array.from({ length: DAYS * 2 }, (_, n) => ({ n: 2 * n, d: dayOf(Math.floor(n / 2)) }));
      expect(await readTable(service.dataDir, 'b.dags', 't', query)).toEqual(expected);
    });

    test('when it is cancelled, stops the DAG runs of the days at work and starts no other', async () => {
      const { airflow, service } = subject();
      const journal = join(service.folder, 'endless-days.journal');
      await register(subject(), 'endless-days', { dag_id: 'endless', conf: { journal } });
      const id = await startBackfill(service, range, 'endless-days');
      await backfillUntil(service, id, ({ counts }) => counts.RUNNING === 2);
      const ids = (await partitionsOf(service, id)).flatMap(({ executionId }) => executionId ?? []);
      const runs = async () => (await Promise.all(ids.map((one) => airflow.runsOf('endless', one)))).flat();
      await vi.waitUntil(async () => (await runs()).length === 2, { timeout: 60_000, interval: 500 });
      expect(await tellBackfill(service, id, 'cancel')).toBe(202);
      expect(await backfillEnded(service, id)).toMatchObject({ status: 'CANCELLED', counts: { CANCELLED: DAYS } });
      expect((await runs()).map(({ state }) => state)).toEqual(['failed', 'failed']);
    });
  });
}
