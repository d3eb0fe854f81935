/** What becomes of a step when its DAG does well, fails, is cancelled, or Airflow is away. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DOUBLED } from './numbers.ts';
import { dagStep, linesOf, numbersIn, startRun, type Subject } from './subject.ts';

const TRIGGER = /\/dagRuns$/;

export function runsSuite(subject: () => Subject): void {
  describe('a step that runs a DAG in Airflow', () => {
    test('when the DAG writes Parquet to its output, hands it to the next step, and links to Airflow meanwhile', async () => {
      const { airflow, service, proxy } = subject();
      const { workflowId, executionId, sink } = await startRun(subject(), {
        dag_id: 'double_numbers',
        conf: { seconds: 3, note: { nested: [1, 'two', null] } },
      });
      await service.until(workflowId, ({ currentActivity }) => currentActivity === 'trigger_airflow_dag');
      let link: string | undefined;
      while (link === undefined) link = (await dagStep(subject(), executionId)).externalUrl;
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'RUNNING' });

      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      const [run, ...others] = await airflow.runsOf('double_numbers', executionId);
      expect(others).toEqual([]);
      expect(run?.dag_run_id).toMatch(/^ps-[0-9a-f]{20}-g1$/);
      expect(link).toBe(`${proxy.url}/dags/double_numbers/runs/${run?.dag_run_id ?? ''}`);
      expect(run?.conf['note']).toEqual({ nested: [1, 'two', null] });
      const folder = `file://${service.dataDir}/staging/default/`;
      expect(run?.conf['pipeline']).toEqual({
        executionId,
        step: 'transform:dag',
        inputs: { numbers: expect.stringContaining(`${executionId}/extract-numbers/`) as string },
        output: expect.stringMatching(new RegExp(`^${folder}.*/transform-dag/${run?.dag_run_id ?? ''}/$`)) as string,
        intervalStart: null,
        intervalEnd: null,
      });
    });

    test.each(['double', 'say_where'])('when %s is its result task, takes what that returned', async (task) => {
      const { service } = subject();
      const { workflowId, sink } = await startRun(subject(), { dag_id: 'double_numbers', result_task: task });
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
    });

    test.each([
      ['returned nothing', 'say_nothing'],
      ['is not in the DAG', 'nobody'],
    ])('when its result task %s, fails at once and says what was expected', async (_, task) => {
      const { service, airflow } = subject();
      const run = await startRun(subject(), { dag_id: 'double_numbers', result_task: task });
      const ended = await service.ended(run.workflowId, 90_000);
      expect(ended.result?.reason).toBe(
        `The task ${task} returned nothing; expected the URI of its output, or {output, rows}`,
      );
      expect(await airflow.runsOf('double_numbers', run.executionId)).toHaveLength(1);
    });

    test('when the DAG fails once, runs it a second time under the next name', async () => {
      const { airflow, service } = subject();
      const conf = { mood: join(service.folder, 'mood') };
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'moody', conf });
      const ended = await service.ended(workflowId, 90_000);
      // The DAG leaves no output, and the sink asks for one.
      expect(ended.result?.reason).toBe('dag left no output that another step could read');
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'COMPLETED', attempts: 2 });
      const runs = await airflow.runsOf('moody', executionId);
      expect(runs.map(({ dag_run_id: id, state }) => [id.slice(-2), state])).toEqual([
        ['g1', 'failed'],
        ['g2', 'success'],
      ]);
    });

    test('when the DAG fails each time, fails with the name of its task and the end of its log', async () => {
      const { airflow, service } = subject();
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'moody' }, 2);
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'FAILED' });
      const step = await dagStep(subject(), executionId);
      expect(step).toMatchObject({ status: 'FAILED', attempts: 2, error: { type: 'JobFailedError' } });
      expect(step.externalUrl).toMatch(/\/dags\/moody\/runs\/ps-[0-9a-f]{20}-g2$/);
      expect(step.error?.message).toMatch(
        /^The DAG moody failed in Airflow, run ps-\w+-g2: the task sulk failed, try 1\n/,
      );
      expect(step.error?.message).toMatch(/ValueError: not today \(.*moody\.py:\d+\)/);
      expect(step.error?.message).toContain('it rains');
      expect(await airflow.runsOf('moody', executionId)).toHaveLength(2);
    });

    test('when the run is cancelled, stops the DAG run', async () => {
      const { airflow, service } = subject();
      const { workflowId, executionId, journal } = await startRun(subject(), { dag_id: 'endless' });
      while ((await linesOf(journal)).length === 0) await sleep(200);
      const cancelledAtMs = performance.now();
      await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, { name: 'cancellation', data: {} });
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      const [run] = await airflow.runsOf('endless', executionId);
      expect(run).toMatchObject({ state: 'failed', note: `Stopped by pipeline-service, run ${executionId}` });
      await silence(journal);
      expect(performance.now() - cancelledAtMs).toBeLessThan(60_000);
    });

    test('when the run is cancelled while Airflow is away, stops the DAG run once it is back', async () => {
      const { airflow, service, proxy } = subject();
      const { workflowId, executionId, journal } = await startRun(subject(), { dag_id: 'endless' });
      while ((await linesOf(journal)).length === 0) await sleep(200);
      proxy.hooks = { onRequest: () => 'cut' };
      await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, { name: 'cancellation', data: {} });
      await sleep(6_000);
      expect(await service.api.status(workflowId)).toMatchObject({ status: 'RUNNING' });
      proxy.hooks = {};
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(await airflow.runsOf('endless', executionId)).toMatchObject([{ state: 'failed' }]);
      await silence(journal);
    });

    test('when the worker shuts down while the DAG works, leaves it to the next one', async () => {
      const { airflow, service } = subject();
      const { workflowId, executionId, journal, sink } = await startRun(subject(), {
        dag_id: 'double_numbers',
        conf: { seconds: 8 },
      });
      while ((await linesOf(journal)).length === 0) await sleep(200);
      expect(await service.stop()).toBe(0);
      expect(await airflow.runsOf('double_numbers', executionId)).toMatchObject([{ state: 'running', note: null }]);
      await service.start();
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      expect(await linesOf(journal)).toHaveLength(1);
      expect(await airflow.runsOf('double_numbers', executionId)).toHaveLength(1);
    });

    test('when Airflow is away before the DAG runs and while it runs, waits and goes on', async () => {
      const { airflow, service, proxy } = subject();
      let away = 2;
      // At submission: the step is tried again by its retry policy.
      proxy.hooks = { onRequest: ({ path }) => (TRIGGER.test(path) && away-- > 0 ? 'cut' : undefined) };
      const { workflowId, executionId, journal, sink } = await startRun(subject(), {
        dag_id: 'double_numbers',
        conf: { seconds: 5 },
      });
      while ((await linesOf(journal)).length === 0) await sleep(200);
      // While it works: no attempt is lost by that.
      proxy.hooks = { onRequest: () => 'cut' };
      await sleep(10_000);
      proxy.hooks = {};
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'COMPLETED', attempts: 3 });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      expect(await airflow.runsOf('double_numbers', executionId)).toHaveLength(1);
    });

    test.each([
      ['unknown', 'nobody_knows_it', /^Airflow at http:\/\/127\.0\.0\.1:\d+ has no DAG nobody_knows_it$/],
      [
        'paused',
        'switched_off',
        /^The DAG switched_off is paused in Airflow; switch it on at http.*\/dags\/switched_off$/,
      ],
    ])('when the DAG is %s, fails at the first attempt and says so', async (_, dagId, reason) => {
      const { airflow, service } = subject();
      const { workflowId, executionId } = await startRun(subject(), { dag_id: dagId });
      const ended = await service.ended(workflowId, 60_000);
      expect(ended).toMatchObject({
        status: 'FAILED',
        retries: 0,
        result: { reason: expect.stringMatching(reason) as string },
      });
      if (dagId === 'switched_off') expect(await airflow.runsOf(dagId, executionId)).toEqual([]);
    });
  });
}

/** The DAG's process works no more: its journal stays as it is. */
async function silence(journal: string): Promise<void> {
  for (let before = -1, now = (await linesOf(journal)).length; before !== now; now = (await linesOf(journal)).length) {
    before = now;
    await sleep(3_000);
  }
}
