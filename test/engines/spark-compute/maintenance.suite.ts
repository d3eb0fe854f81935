/** A table's files rewritten by Spark: with delete files of its own, killed and cancelled on the way. */
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { MaintenanceAnswer } from '../../../src/schemas/api-maintenance.ts';
import type { Judge } from '../judge.ts';
import { judgeOf, type Subject } from './subject.ts';

const TABLE = 'lab.upkeep';
const IN_SPARK = `matih.${TABLE}`;
const WITHIN_MS = 400_000;
const PATH = '/v1/maintenance/compactions';

export function maintenanceSuite(subject: () => Subject): void {
  describe('a table with delete files', () => {
    let judge: Judge;
    let rows: unknown;
    const sorted = `select id, k from ${IN_SPARK} order by id`;

    beforeAll(async () => {
      judge = judgeOf(subject());
      await judge.sql('create namespace if not exists matih.lab');
      await judge.sql(
        `create table ${IN_SPARK} (id bigint, k int) using iceberg partitioned by (k)
          tblproperties ('format-version' = '2', 'write.delete.mode' = 'merge-on-read')`,
      );
      for (const from of [0, 40, 80]) {
        await judge.sql(`insert into ${IN_SPARK} select id, cast(id % 2 as int) from range(${from}, ${from + 40})`);
      }
      await judge.sql(`delete from ${IN_SPARK} where id % 5 = 0`);
      rows = await judge.sql(sorted);
    }, WITHIN_MS);

    const begin = async (body: object): Promise<string> => {
      const { status, body: answer } = await subject().service.call('POST', PATH, { table: TABLE, ...body });
      expect(status, JSON.stringify(answer)).toBe(202);
      return answer['maintenanceId'] as string;
    };
    const ended = async (id: string): Promise<MaintenanceAnswer> => {
      const deadlineMs = performance.now() + WITHIN_MS;
      for (;;) {
        const now = (await subject().service.call('GET', `${PATH}/${id}`)).body as unknown as MaintenanceAnswer;
        if (now.status !== 'RUNNING') return now;
        if (performance.now() > deadlineMs) throw new Error(`${JSON.stringify(now)}\n${subject().service.log()}`);
        await sleep(200);
      }
    };
    const works = async (id: string): Promise<void> => {
      const pattern = join(subject().service.dataDir, 'staging/*/maintenance', id, 'rewrite/ps-*/alive');
      const deadlineMs = performance.now() + WITHIN_MS;
      while ((await glob(pattern).next()).done === true) {
        if (performance.now() > deadlineMs) throw new Error(`no job works on ${id}\n${subject().service.log()}`);
        await sleep(20);
      }
    };
    const replacements = async () =>
      (await judge.history(TABLE)).filter(({ operation }) => operation === 'replace').map(({ summary }) => summary);

    test('when the embedded engine is to rewrite it, is refused in words', async () => {
      const answer = await ended(await begin({ minInputFiles: 2 }));
      expect(answer).toMatchObject({
        status: 'FAILED',
        reason: 'the table has delete files: compact it with engine spark',
        before: { deleteFiles: expect.any(Number) as number },
      });
    });

    test(
      'when the compaction by Spark is cancelled, ends its job and is as it was',
      async () => {
        const id = await begin({ engine: 'spark', expireSnapshots: false, removeOrphanFiles: false });
        await works(id);
        expect((await subject().service.call('POST', `${PATH}/${id}/cancel`)).status).toBe(202);
        expect(await ended(id)).toMatchObject({ status: 'CANCELLED', reason: 'Cancelled' });
        expect(await replacements()).toEqual([]);
        await expect
          .poll(async () => (await subject().spark.drivers()).filter(({ state }) => state === 'RUNNING'), {
            timeout: WITHIN_MS,
          })
          .toEqual([]);
      },
      WITHIN_MS,
    );

    test(
      'when Spark rewrites it and the service is killed meanwhile, is one job, one replacement and the same rows',
      async () => {
        const { spark, service } = subject();
        const before = (await spark.drivers()).length;
        const id = await begin({ engine: 'spark', minInputFiles: 2, removeOrphanFiles: false });
        await works(id);
        await service.kill('everything');
        await service.start();
        const answer = await ended(id);
        expect(answer, JSON.stringify(answer)).toMatchObject({
          status: 'COMPLETED',
          before: { dataFiles: 6, deleteFiles: expect.any(Number) as number, records: 120 },
          after: { dataFiles: 2, deleteFiles: 0, records: 96 },
          rewritten: { rewrittenFiles: 6, addedFiles: 2 },
        });
        expect(answer.before?.deleteFiles).toBeGreaterThan(0);
        // One that rewrote; Iceberg removes delete files that delete nothing any more by another, which adds nothing.
        const rewriting = (await replacements()).filter((summary) => summary['added-data-files'] !== undefined);
        expect(rewriting.map((summary) => summary['pipeline.maintenance-id'])).toEqual([id]);
        expect((await spark.drivers()).slice(before).map(({ state }) => state)).toEqual(['FINISHED']);
        expect(await judge.sql(sorted)).toEqual(rows);
      },
      WITHIN_MS,
    );

    test(
      'when its delete files are cleared, is rewritten and expired by the embedded engine, too',
      async () => {
        await judge.sql(`insert into ${IN_SPARK} select id, cast(id % 2 as int) from range(200, 210)`);
        const expected = await judge.sql(sorted);
        const id = await begin({ minInputFiles: 2, expireSnapshots: { olderThan: '1ms' } });
        expect(await ended(id)).toMatchObject({
          status: 'COMPLETED',
          rewritten: { rewrittenFiles: 4, addedFiles: 2 },
          after: { dataFiles: 2, snapshots: 1, records: 106 },
        });
        expect(await judge.sql(sorted)).toEqual(expected);
        expect(await judge.counts(TABLE, 'k')).toEqual({ 0: 53, 1: 53 });
        expect(await judge.history(TABLE)).toHaveLength(1);
      },
      WITHIN_MS,
    );
  });
}
