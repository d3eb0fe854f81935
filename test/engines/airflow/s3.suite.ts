/** Staging on S3, which the DAG reads and writes with keys of Airflow's own; the service is killed twice on the way. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KillPoint } from '../../support/killing-proxy.ts';
import { SECRET_ACCESS_KEY } from '../../support/s3-gateway.ts';
import { DOUBLED } from './numbers.ts';
import { environmentOf, linesOf, numbersIn, startRun, type Subject } from './subject.ts';

const SUBMITTED: KillPoint = {
  moment: 'answer',
  isIt: ({ method, path }) => method === 'POST' && path.endsWith('/dagRuns'),
};
const SEEN_RUNNING: KillPoint = {
  moment: 'answer',
  isIt: ({ path }, answer) => /-g1$/.test(path) && answer?.body.includes('"state":"running"') === true,
};

export function s3Suite(subject: () => Subject): void {
  describe('the service with staging on S3', () => {
    beforeAll(async () => {
      const { airflow, proxy, service, s3 } = subject();
      await service.stop();
      const environment = { ...environmentOf(airflow, proxy), ...s3.environment, STAGING_URI: 's3://lake/staging' };
      await service.start(environment);
    }, 120_000);

    test('when it is killed after it submitted and while it awaits the end, runs the DAG once on what S3 has', async () => {
      const { airflow, service, proxy, s3 } = subject();
      let killed = proxy.killAt(SUBMITTED, () => service.kill('everything'));
      const until = join(service.folder, 'now');
      const step = { dag_id: 'double_numbers', conf: { until }, result_task: 'say_where' };
      const { workflowId, executionId, sink, journal } = await startRun(subject(), step);
      await killed;
      killed = proxy.killAt(SEEN_RUNNING, () => service.kill('everything'));
      // It may be killed before it says that it is ready.
      await Promise.allSettled([service.start(), killed]);
      await writeFile(until, '');
      await service.start();
      expect(await service.ended(workflowId, 120_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      expect(await linesOf(journal)).toHaveLength(1);
      const [run, ...others] = await airflow.runsOf('double_numbers', executionId);
      expect(others).toEqual([]);
      const { inputs, output } = run?.conf['pipeline'] as { inputs: Record<string, string>; output: string };
      const staged = new RegExp(`^s3://lake/staging/default/[^/]+/${executionId}/[^/]+/[^/]+/$`);
      expect([inputs['numbers'], output]).toEqual([expect.stringMatching(staged), expect.stringMatching(staged)]);
      expect(output).toContain(`/transform-dag/${run?.dag_run_id ?? ''}/`);
      expect(JSON.stringify(run)).not.toContain(SECRET_ACCESS_KEY);
      await expect.poll(() => s3.keys('staging/'), { timeout: 20_000 }).toEqual([]);
    }, 400_000);

    test('when the DAG returns no output, takes what lies in the folder', async () => {
      const { service } = subject();
      const { workflowId, sink } = await startRun(subject(), { dag_id: 'double_numbers' });
      expect(await service.ended(workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
    });
  });
}
