/** A run that is cancelled while the cluster works for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { lives } from '../../support/child-program.ts';
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
      const driverId = (await spark.drivers()).at(-1)?.id ?? '';
      const driver = await spark.driverProcess(driverId);
      await expect.poll(() => spark.applicationProcesses(driverId), { timeout: 120_000 }).not.toEqual([]);
      await sleep(10_000);
      const application = await spark.applicationProcesses(driverId);
      expect(application.length).toBeGreaterThan(0);
      const cancelledAtMs = performance.now();
      const told = await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, {
        name: 'cancellation',
        data: {},
      });
      expect(told.status).toBe(202);
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      // The launcher kills the application before the run ends; the driver around it and the master's word follow.
      const leftMs = 60_000 - (performance.now() - cancelledAtMs);
      await expect.poll(() => [driver, ...application].filter(lives), { timeout: leftMs }).toEqual([]);
      await expect
        .poll(async () => (await spark.drivers()).slice(before).map(({ state }) => state))
        .toEqual(['FINISHED', expect.stringMatching(/^(KILLED|FAILED)$/)]);
    }, 400_000);
  });
}
