/** What becomes of a step, and of its DAG run, when somebody or something comes between them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { DOUBLED } from './numbers.ts';
import { dagStep, environmentOf, linesOf, numbersIn, startRun, type Subject } from './subject.ts';

const TRIGGER = /\/dagRuns$/;

export function interruptionsSuite(subject: () => Subject): void {
  describe('a step whose DAG works in Airflow', () => {
    test('when the run is cancelled, stops the DAG run', async () => {
      const { airflow, service } = subject();
      const { workflowId, executionId, journal } = await startRun(subject(), { dag_id: 'endless' });
      await working(journal);
      const cancelledAtMs = performance.now();
      await cancel(subject(), workflowId);
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      const [run] = await airflow.runsOf('endless', executionId);
      expect(run).toMatchObject({ state: 'failed', note: `Stopped by pipeline-service, run ${executionId}` });
      await silence(journal);
      expect(performance.now() - cancelledAtMs).toBeLessThan(60_000);
    });

    test('when the run is cancelled while Airflow is away, stops the DAG run once it is back', async () => {
      const { airflow, service, proxy } = subject();
      const { workflowId, executionId, journal } = await startRun(subject(), { dag_id: 'endless' });
      await working(journal);
      proxy.hooks = { onRequest: () => 'cut' };
      await cancel(subject(), workflowId);
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
      await working(journal);
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
      await working(journal);
      // While it works: no attempt is lost by that.
      proxy.hooks = { onRequest: () => 'cut' };
      await sleep(10_000);
      proxy.hooks = {};
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'COMPLETED', attempts: 3 });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      expect(await airflow.runsOf('double_numbers', executionId)).toHaveLength(1);
    });

    test('when the run is cancelled while its submission is on its way, stops what that starts', async () => {
      const { airflow, service, proxy } = subject();
      const { promise: onItsWay, resolve } = Promise.withResolvers<void>();
      const cancelled = Promise.withResolvers<undefined>();
      proxy.hooks = {
        onRequest: ({ method, path }) => {
          if (method !== 'POST' || !TRIGGER.test(path)) return undefined;
          resolve();
          return cancelled.promise;
        },
      };
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'endless' });
      await onItsWay;
      await cancel(subject(), workflowId);
      await sleep(3_000);
      cancelled.resolve(undefined);
      expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(await airflow.runsOf('endless', executionId)).toMatchObject([{ state: 'failed' }]);
    });

    test('when the password is not the right one any more, fails at the first attempt, and tells it to nobody', async () => {
      const { airflow, service, proxy } = subject();
      const environment = environmentOf(airflow, proxy);
      await service.stop();
      await service.start({ ...environment, AIRFLOW_PASSWORD: 'hunter2-hunter2' });
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'double_numbers' });
      const ended = await service.ended(workflowId, 60_000);
      expect(ended).toMatchObject({ status: 'FAILED', retries: 0 });
      const step = await dagStep(subject(), executionId);
      expect(step.error).toEqual({
        type: 'PermissionDeniedError',
        message: 'Airflow refused the password of service; see AIRFLOW_USERNAME and AIRFLOW_PASSWORD',
      });
      for (const said of [ended, step, service.log(1_000)]) expect(JSON.stringify(said)).not.toContain('hunter2');
      await service.stop();
      await service.start(environment);
    });
  });
}

/** Resolves when the DAG's process has begun. */
async function working(journal: string): Promise<void> {
  await vi.waitUntil(async () => (await linesOf(journal)).length > 0, { timeout: 60_000, interval: 200 });
}

async function cancel({ service }: Subject, workflowId: string): Promise<void> {
  await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, { name: 'cancellation', data: {} });
}

/** The DAG's process works no more: its journal stays as it is. */
async function silence(journal: string): Promise<void> {
  for (let before = -1, now = (await linesOf(journal)).length; before !== now; now = (await linesOf(journal)).length) {
    before = now;
    await sleep(3_000);
  }
}
