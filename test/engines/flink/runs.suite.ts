/** Flink steps whose worker lives. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  DOUBLED,
  doubling,
  FAILING,
  flinkStep,
  jobStates,
  logOf,
  numbersIn,
  type StartedRun,
  startRun,
  type Subject,
} from './subject.ts';

const POLL = { timeout: 60_000, interval: 200 };

export function runsSuite(subjectOf: () => Subject): void {
  const expectOneJob = async (run: StartedRun) => {
    const subject = subjectOf();
    const ended = await subject.service.ended(run.workflowId, 90_000);
    expect(ended, subject.service.log()).toMatchObject({ status: 'COMPLETED' });
    expect(await numbersIn(run)).toEqual(DOUBLED);
    expect(await jobStates(subject, run)).toEqual(['1: FINISHED']);
  };
  const running = async (run: StartedRun) => {
    await expect.poll(() => jobStates(subjectOf(), run), POLL).toEqual(['1: RUNNING']);
  };

  describe('a Flink step', () => {
    test('when its statement is sound, hands on the rows of its one job, and shows it while it runs', async () => {
      const subject = subjectOf();
      const run = await startRun(subject, { statement: doubling(3) });
      await running(run);
      const link = /^http:\/\/127\.0\.0\.1:\d+\/#\/job\/running\/[0-9a-f]{32}\/overview$/;
      await expect.poll(async () => (await flinkStep(subject, run))?.externalUrl ?? '', POLL).toMatch(link);
      await expectOneJob(run);
    });

    test('when its job fails, says why and is tried anew as the next generation', async () => {
      const subject = subjectOf();
      const run = await startRun(subject, { statement: FAILING, attempts: 2 });
      expect(await subject.service.ended(run.workflowId, 90_000)).toMatchObject({ status: 'FAILED' });
      const step = await flinkStep(subject, run);
      expect(step).toMatchObject({ attempts: 2, error: { type: 'JobFailedError' } });
      expect(step?.error?.message).toMatch(/g2 failed: .*NumberFormatException: For input string: '1 of them'/);
      expect(await jobStates(subject, run)).toEqual(['1: FAILED', '2: FAILED']);
    });

    test.each([
      ['does not parse', doubling(1).replace('FROM numbers', 'FRM numbers'), /Encountered/],
      ['names a column that is not there', doubling(1).replace('SELECT n *', 'SELECT nn *'), /Column 'nn' not found/],
      ['writes elsewhere by itself', `CREATE TABLE t (n BIGINT); ${doubling(1)}`, /CREATE TEMPORARY TABLE or VIEW/],
    ])('when its statement %s, is tried once and makes no job', async (_, statement, message) => {
      const subject = subjectOf();
      const run = await startRun(subject, { statement });
      expect(await subject.service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'FAILED' });
      const step = await flinkStep(subject, run);
      expect(step).toMatchObject({ attempts: 1, error: { type: 'ValidationError' } });
      expect(step?.error?.message).toMatch(message);
      expect(await jobStates(subject, run)).toEqual([]);
    });

    test('when its run is cancelled, cancels the job', async () => {
      const subject = subjectOf();
      const { service } = subject;
      const run = await startRun(subject, { statement: doubling(300) });
      await running(run);
      await service.call('POST', `/v1/pipelines/workflows/${run.workflowId}/signal`, {
        name: 'cancellation',
        data: {},
      });
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(await jobStates(subject, run)).toEqual(['1: CANCELED']);
    });

    test('when its run is cancelled while Flink is given the job, leaves none behind', async () => {
      const subject = subjectOf();
      const { service, gateway } = subject;
      const started = Promise.withResolvers<StartedRun>();
      let held = 0;
      gateway.hooks = {
        onAnswer: async ({ path, body }) => {
          if (held > 0 || !path.endsWith('/statements') || !body.includes('INSERT')) return;
          held += 1;
          const cancellation = { name: 'cancellation', data: {} };
          const { workflowId } = await started.promise;
          await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, cancellation);
          await sleep(3_000); // The worker has been told meanwhile.
        },
      };
      const run = await startRun(subject, { statement: doubling(300) });
      started.resolve(run);
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(held).toBe(1);
      await sleep(3_000);
      expect(await jobStates(subject, run)).toEqual(['1: CANCELED']);
    });

    test('when a proxy before the gateway refuses it, is tried once', async () => {
      const subject = subjectOf();
      subject.gateway.hooks = { onRequest: () => ({ status: 401, body: 'who are you?' }) };
      const run = await startRun(subject, { statement: doubling(1) });
      expect(await subject.service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'FAILED' });
      expect(await flinkStep(subject, run)).toMatchObject({ attempts: 1, error: { type: 'PermissionDeniedError' } });
    });

    test('when the gateway has lost its session before the job, submits it in another one', async () => {
      const subject = subjectOf();
      let lost = 0;
      subject.gateway.hooks = {
        onRequest: async ({ path, body }) => {
          if (lost > 0 || !/^\/v1\/sessions\/[^/]+\/statements$/.test(path) || !body.includes('INSERT')) return;
          lost += 1;
          await fetch(subject.cluster.gatewayUrl + path.replace('/statements', ''), { method: 'DELETE' });
        },
      };
      const run = await startRun(subject, { statement: doubling(1) });
      await expectOneJob(run);
      expect(lost).toBe(1);
      expect(await flinkStep(subject, run)).toMatchObject({ attempts: 2 });
    });

    test('when the gateway is away and comes back, has one job; when it is restarted meanwhile, the job goes on', async () => {
      const subject = subjectOf();
      const { cluster } = subject;
      await cluster.stopGateway();
      const run = await startRun(subject, { statement: doubling(12), attempts: 100 });
      await expect.poll(() => logOf(subject, run), POLL).toContain("Flink's SQL gateway at");
      await cluster.startGateway();
      await running(run);
      await cluster.stopGateway();
      await cluster.startGateway();
      await expectOneJob(run);
    });

    test('when the job manager cannot be reached for a while, goes on with its job', async () => {
      const subject = subjectOf();
      const run = await startRun(subject, { statement: doubling(6) });
      await running(run);
      subject.jobManager.hooks = { onRequest: () => 'cut' };
      await expect.poll(() => logOf(subject, run), POLL).toContain('looking again');
      subject.jobManager.hooks = {};
      await expectOneJob(run);
      expect(await flinkStep(subject, run)).toMatchObject({ attempts: 1 });
    });
  });
}
