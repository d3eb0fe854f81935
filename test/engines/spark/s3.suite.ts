/** Staging on S3, which the cluster reaches by its own configuration; the service is killed twice on the way. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KillPoint } from '../../support/killing-proxy.ts';
import { SECRET_ACCESS_KEY } from '../../support/s3-gateway.ts';
import { DOUBLED, numbersIn, sparkStep, startRun, type Subject, wordsIn } from './subject.ts';

/** Workers read where the launcher lies as a URI, Hadoop as it is written. */
const PREFIX = 'staging of day%201';
const SUBMITTED: KillPoint = { moment: 'answer', isIt: ({ path }) => path === '/v1/submissions/create' };
const SEEN_RUNNING: KillPoint = {
  moment: 'answer',
  isIt: (_, answer) => answer?.body.includes('"driverState" : "RUNNING"') === true,
};

export function s3Suite(subject: () => Subject): void {
  describe('the service with staging on S3', () => {
    beforeAll(async () => {
      const { service, s3, environment } = subject();
      await service.stop();
      await service.start({ ...environment, ...s3.environment, STAGING_URI: `s3://lake/${PREFIX}` });
    }, 120_000);

    test('when it is killed after it submitted and while it awaits the end, runs the application once on what S3 has', async () => {
      const { service, proxy, s3, spark } = subject();
      let killed = proxy.killAt(SUBMITTED, () => service.kill('everything'));
      const now = join(service.folder, 'now');
      const run = await startRun(subject(), { application: 'double_numbers.py', seconds: now });
      await killed;
      killed = proxy.killAt(SEEN_RUNNING, () => service.kill('everything'));
      // It may be killed before it says that it is ready.
      await Promise.allSettled([service.start(), killed]);
      await writeFile(now, '');
      await service.start();
      expect(await service.ended(run.workflowId, 150_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
      const works = ({ state }: { state: string }) => state === 'RUNNING' || state === 'SUBMITTED';
      await expect.poll(async () => (await spark.drivers()).filter(works), { timeout: 60_000 }).toEqual([]);
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
      await expect.poll(() => s3.keys(`${PREFIX}/`), { timeout: 20_000 }).toEqual([]);
      // The cluster has keys of its own; it was told none, nor was anybody who looks at what was submitted.
      const submitted = proxy.answered.filter(({ request }) => request.path === '/v1/submissions/create');
      expect(JSON.stringify(submitted)).not.toContain(SECRET_ACCESS_KEY);
    }, 400_000);

    test('when the application fails, says so with the end of its log', async () => {
      const run = await startRun(subject(), { application: 'journal.py', fate: 'fail', maxAttempts: 1 });
      expect(await subject().service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'FAILED' });
      const { error } = await sparkStep(subject(), run.executionId);
      expect(error?.message).toMatch(/^The Spark job ps-[0-9a-f]{20}-g1 failed\n.*it rains.*ValueError: not today$/s);
    });
  });
}
