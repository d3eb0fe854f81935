/** Staging and tables on S3, which the cluster reaches by its own configuration. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { MaintenanceAnswer } from '../../../src/schemas/api-maintenance.ts';
import type { KillPoint } from '../../support/killing-proxy.ts';
import { Judge } from '../judge.ts';
import { QUICK_RETRIES, sources, type Subject } from './subject.ts';

const isSubmission: KillPoint['isIt'] = ({ path }) => path === '/v1/submissions/create';
const TABLE = 'lab.on_s3';

export function s3Suite(subject: () => Subject): void {
  describe('a run with compute: spark and staging on S3', () => {
    beforeAll(async () => {
      const { service, s3, environment } = subject();
      await service.stop();
      const places = { STAGING_URI: 's3://lake/staging', ICEBERG_WAREHOUSE: 's3://lake/warehouse' };
      await service.start({ ...environment, ...s3.environment, ...places });
    }, 120_000);

    test('when the service is killed around submissions, checks, transforms and loads once, and has the table compacted', async () => {
      const { service, proxy, spark, s3 } = subject();
      const before = (await spark.drivers()).length;
      const pipeline = await service.register({
        name: 'on-s3',
        version: '1',
        definition: {
          sources: { flights: sources(service.folder)['flights'] },
          quality_checks: { checks: [{ source: 'flights', type: 'unique', columns: ['flight'] }] },
          transformations: [{ name: 'kept', engine: 'sql', sql: 'SELECT * FROM flights' }],
          sinks: { table: { type: 'iceberg', from: 'kept', table: TABLE, partition_by: ['species'] } },
          orchestration: { compute: 'spark', retry: QUICK_RETRIES },
        },
      });
      const killed = proxy.killAt({ moment: 'answer', isIt: isSubmission }, () => service.kill('everything'));
      const { workflowId, executionId } = await service.execute(pipeline);
      await killed;
      const again = proxy.killAt({ moment: 'later', isIt: isSubmission, laterMs: 3_000 }, () =>
        service.kill('everything'),
      );
      // It may be killed before it says that it is ready.
      await Promise.allSettled([service.start(), again]);
      await service.start();
      const ended = await service.ended(workflowId, 500_000);
      expect(ended, service.log()).toMatchObject({ status: 'COMPLETED' });
      const lake = join(service.dataDir, 'iceberg');
      const place = { catalogFile: join(lake, 'catalog.db'), warehouse: join(lake, 'warehouse'), s3: s3.pyiceberg };
      const judge = new Judge(place);
      const history = await judge.history(TABLE);
      expect(history.map(({ summary }) => summary['pipeline.load-id'])).toEqual([`${executionId}/table`]);
      const expected = join(service.folder, 'flights.parquet');
      expect(await judge.rows('pyiceberg', { table: TABLE, expected })).toMatchObject({ difference: null, rows: 4 });
      // One that came second has found its name taken.
      const states = (await spark.drivers()).slice(before).map(({ state }) => state);
      expect(new Set(states)).toEqual(new Set(['FINISHED']));
      await expect.poll(() => s3.keys('staging/'), { timeout: 20_000 }).toEqual([]);

      const second = await service.execute(pipeline, { engine_override: 'duckdb' });
      expect(await service.ended(second.workflowId)).toMatchObject({ status: 'COMPLETED' });
      const only = { expireSnapshots: false, removeOrphanFiles: false };
      const asked = { table: TABLE, engine: 'spark', minInputFiles: 2, ...only };
      const { body } = await service.call('POST', '/v1/maintenance/compactions', asked);
      const id = String(body['workflowId']);
      expect(await service.ended(id, 300_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      const maintenance = await service.call('GET', `/v1/maintenance/compactions/${String(body['maintenanceId'])}`);
      const { rewritten, after } = maintenance.body as unknown as MaintenanceAnswer;
      expect(rewritten).toMatchObject({ rewrittenFiles: 4, addedFiles: 2 });
      expect(after).toMatchObject({ dataFiles: 2, records: 8 });
      expect((await judge.history(TABLE)).at(-1)).toMatchObject({ operation: 'replace' });
    }, 900_000);
  });
}
