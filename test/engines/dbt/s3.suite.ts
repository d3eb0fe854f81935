/** Staging on S3: dbt works on copies, and what it left is uploaded; the service is killed just then. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KillingProxy } from '../../support/killing-proxy.ts';
import { S3Gateway } from '../../support/s3-gateway.ts';
import { duckdb, startRun, type Subject } from './subject.ts';

export function s3Suite(subjectOf: () => Subject): void {
  describe('a dbt step with staging on S3', () => {
    test('when the service is killed before the output is uploaded, is built anew and handed on once', async () => {
      const subject = subjectOf();
      const { service, folder, environment } = subject;
      await using gateway = await S3Gateway.start();
      await using proxy = await KillingProxy.start(gateway.url, 'exact');
      await service.stop();
      const s3 = { ...gateway.environment, S3_ENDPOINT: proxy.url, STAGING_URI: 's3://lake/staging' };
      await service.start({ ...environment, ...s3 });
      const isUpload = ({ method, path }: { method: string; path: string }) =>
        method === 'PUT' && path.includes('/transform-daily/');
      const killed = proxy.killAt({ moment: 'request', isIt: isUpload }, () => service.kill('everything'));
      const step = { select: 'tag:duckdb', profile: duckdb(subject) };
      const { workflowId } = await startRun(subject, { name: 'on-s3', sink: 'daily' }, step);
      await killed;
      await service.start();
      expect(await service.ended(workflowId, 120_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await readFile(join(folder, 'on-s3.csv'), 'utf8')).toBe('day,amount\n2001-01-01,5\n2001-01-02,4\n');
      await expect.poll(() => gateway.keys('staging/'), { timeout: 20_000 }).toEqual([]);
      await service.stop();
      await service.start(environment);
    }, 240_000);
  });
}
