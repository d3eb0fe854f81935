/** A run that is cancelled while the cluster works for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { QUICK_RETRIES, sources, type Subject } from './subject.ts';

/** Takes for ever, without much memory. */
const ENDLESS =
  'SELECT count(*) AS n FROM flights, range(1000000000) AS a, range(1000000000) AS b WHERE a.id * b.id = -1';

export function cancellingSuite(subject: () => Subject): void {
  describe('a run with compute: spark', () => {
    test('when it is cancelled while its SQL works on the cluster, has the driver killed within a minute', async () => {
      const { spark, service } = subject();
      const before = (await spark.drivers()).length;
      const pipeline = await service.register({
        name: 'endless',
        version: '1',
        definition: {
          sources: { flights: sources(service.folder)['flights'] },
          transformations: [{ name: 'endless', engine: 'sql', sql: ENDLESS }],
          sinks: { table: { type: 'iceberg', from: 'endless', table: 'lab.never' } },
          orchestration: { compute: 'spark', retry: QUICK_RETRIES },
        },
      });
      const { workflowId } = await service.execute(pipeline);
      // The extraction's, and the one of the SQL, which is a while at work before it is cancelled.
      await expect
        .poll(async () => (await spark.drivers()).slice(before).map(({ state }) => state), { timeout: 240_000 })
        .toEqual(['FINISHED', 'RUNNING']);
      const driver = await spark.driverProcess((await spark.drivers()).at(-1)?.id ?? '');
      await sleep(10_000);
      const cancelledAtMs = performance.now();
      const told = await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, {
        name: 'cancellation',
        data: {},
      });
      expect(told.status).toBe(202);
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(performance.now() - cancelledAtMs).toBeLessThan(60_000);
      expect(() => process.kill(driver, 0)).toThrow('ESRCH');
      const states = (await spark.drivers()).slice(before).map(({ state }) => state);
      expect(states).toEqual(['FINISHED', expect.stringMatching(/^(KILLED|FAILED)$/)]);
    }, 400_000);
  });
}
