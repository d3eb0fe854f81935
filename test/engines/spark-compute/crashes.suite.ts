/** SIGKILL around a load that Spark works on; what counts is what the table has, and how many drivers Spark saw. */
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { judgeOf, QUICK_RETRIES, sources, type Subject } from './subject.ts';

const TABLE = 'lab.survivor';
const FOUND_WITHIN_MS = 400_000;

export function crashesSuite(subject: () => Subject): void {
  describe('a load on Spark', () => {
    test('when the service is killed while its job works, when that has ended, and around the commit, is one snapshot of one job', async () => {
      const { spark, service } = subject();
      const before = (await spark.drivers()).length;
      const pipeline = await service.register({
        name: 'survivor',
        version: '1',
        definition: {
          sources: { flights: sources(service.folder)['flights'] },
          sinks: { table: { type: 'iceberg', from: 'flights', table: TABLE } },
          orchestration: { compute: 'spark', retry: QUICK_RETRIES },
        },
      });
      const { workflowId, executionId } = await service.execute(pipeline);
      const load = join(service.dataDir, 'staging/*/*', executionId, 'load-table/ps-*');
      const moments = [
        join(load, 'alive'),
        join(load, 'outcome.json'),
        join(service.dataDir, 'iceberg/warehouse/lab/survivor/metadata/*'),
      ];
      for (const moment of moments) {
        await appeared(moment);
        await service.kill('everything');
        await service.start();
      }
      expect(await service.ended(workflowId, FOUND_WITHIN_MS)).toMatchObject({ status: 'COMPLETED' });

      const judge = judgeOf(subject());
      const history = await judge.history(TABLE);
      expect(history.map(({ summary }) => summary['pipeline.load-id'])).toEqual([`${executionId}/table`]);
      expect(await judge.audit(TABLE, [history[0]?.snapshotId ?? ''])).toEqual([]);
      const expected = join(service.folder, 'flights.parquet');
      expect(await judge.rows('pyiceberg', { table: TABLE, expected })).toMatchObject({ difference: null, rows: 4 });
      // One for the extraction, one for the load.
      const states = (await spark.drivers()).slice(before).map(({ state }) => state);
      expect(states).toEqual(['FINISHED', 'FINISHED']);
    }, 900_000);
  });
}

async function appeared(pattern: string): Promise<void> {
  const deadlineMs = performance.now() + FOUND_WITHIN_MS;
  while ((await glob(pattern).next()).done === true) {
    if (performance.now() > deadlineMs) throw new Error(`there is no ${pattern}`);
    await sleep(20);
  }
}
