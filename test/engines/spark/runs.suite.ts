/** What becomes of a step when its application does well, fails, is cancelled, or Spark is away. */
import { describe, expect, test } from 'vitest';
import { DOUBLED, numbersIn, sparkStep, startRun, type Subject, wordsIn } from './subject.ts';

export function runsSuite(subject: () => Subject): void {
  describe('a step that runs an application on Spark', () => {
    test('when the application writes Parquet to its output, hands it to the next step, and links to the driver meanwhile', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'double_numbers.py', seconds: 3 });
      await service.until(run.workflowId, ({ currentActivity }) => currentActivity === 'run_spark_job');
      let step = await sparkStep(subject(), run.executionId);
      while (step.externalUrl?.includes('/logPage/') !== true) step = await sparkStep(subject(), run.executionId);
      expect(step.status).toBe('RUNNING');
      const link = step.externalUrl;
      expect(await service.ended(run.workflowId, 150_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
      const [driver, ...others] = await spark.drivers();
      expect(others).toEqual([]);
      expect(driver?.state).toBe('FINISHED');
      expect(link).toContain(driver?.id);
      // On the cluster, not in the driver alone.
      expect(await (await fetch(link.replace('/logPage/', '/log/'))).text()).toContain('master spark://127.0.0.1');
    });
  });
}
