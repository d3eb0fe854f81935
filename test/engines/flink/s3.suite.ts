/** Staging on S3, which Flink reaches by a plugin and its own configuration; the service is killed twice on the way. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { KillPoint } from '../../support/killing-proxy.ts';
import { SECRET_ACCESS_KEY } from '../../support/s3-gateway.ts';
import { DOUBLED, doubling, jobStates, numbersIn, startRun, type Subject } from './subject.ts';

const SUBMITTED: KillPoint = {
  moment: 'answer',
  isIt: ({ path, body }) => path.endsWith('/statements') && body.includes('INSERT'),
};
/** Mostly while it runs; on a machine that is busy it may have ended by then. */
const SEEN: KillPoint = {
  moment: 'answer',
  isIt: ({ path }, answer) =>
    /^\/jobs\/[0-9a-f]{32}$/.test(path) && /"state":"(RUNNING|FINISHED)"/.test(answer?.body ?? ''),
};

export function s3Suite(subject: () => Subject): void {
  describe('the service with staging on S3', () => {
    beforeAll(async () => {
      const { service, s3, environment } = subject();
      await service.stop();
      await service.start({ ...environment, ...s3.environment, STAGING_URI: 's3://lake/staging' });
    }, 120_000);

    test('when it is killed after it submitted and when it looks at the job, has one job and its rows once', async () => {
      const { service, gateway, jobManager, s3 } = subject();
      let killed = gateway.killAt(SUBMITTED, () => service.kill('everything'));
      const run = await startRun(subject(), { statement: doubling(8) });
      await killed;
      killed = jobManager.killAt(SEEN, () => service.kill('everything'));
      // It may be killed before it says that it is ready.
      await Promise.allSettled([service.start(), killed]);
      await service.start();
      expect(await service.ended(run.workflowId, 120_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(run)).toEqual(DOUBLED);
      expect(await jobStates(subject(), run)).toEqual(['1: FINISHED']);
      expect(JSON.stringify(gateway.answered)).toContain('s3://lake/staging/');
      expect(JSON.stringify(gateway.answered)).not.toContain(SECRET_ACCESS_KEY);
      await expect.poll(() => s3.keys('staging/'), { timeout: 20_000 }).toEqual([]);
    }, 400_000);
  });
}
