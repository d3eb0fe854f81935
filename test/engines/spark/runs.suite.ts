/** What becomes of a step when its application does well, fails, is cancelled, or Spark is away. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { lives } from '../../support/child-program.ts';
import { SMALL_JOB } from '../../support/spark-standalone.ts';
import { DOUBLED, numbersIn, processesIn, sparkStep, startRun, type Subject, wordsIn } from './subject.ts';

/** Where the birds of the example were struck. */
const STATES = 29;

export function runsSuite(subject: () => Subject): void {
  describe('a step that runs an application on Spark', () => {
    test('when the application writes Parquet to its output, hands it to the next step, and links to the driver meanwhile', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'double_numbers.py', seconds: 3 });
      await service.until(run.workflowId, ({ currentActivity }) => currentActivity === 'run_spark_job');
      let step = await sparkStep(subject(), run.executionId);
      while (step.externalUrl?.includes('/logPage/') !== true) {
        await sleep(200);
        step = await sparkStep(subject(), run.executionId);
      }
      expect(step.status).toBe('RUNNING');
      const link = step.externalUrl;
      expect(await service.ended(run.workflowId, 150_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
      const driver = (await spark.drivers()).at(-1);
      expect(driver?.state).toBe('FINISHED');
      expect(link).toContain(driver?.id);
      // On the cluster, not in the driver alone.
      expect(await (await fetch(link.replace('/logPage/', '/log/'))).text()).toContain('master spark://127.0.0.1');
    });

    test('when it is the example, counts bird strikes by state into a table', async () => {
      const { service } = subject();
      const document = parseYaml(await readFile('examples/spark/costs-by-state.yaml', 'utf8')) as object;
      const { workflowId } = await service.execute(await service.register(document));
      const { status, result } = await service.ended(workflowId, 150_000);
      expect({ status, result }).toMatchObject({ status: 'COMPLETED', result: { rowsProcessed: STATES } });
    });

    test('when it is a source, has its rows checked, transformed and loaded like any others', async () => {
      const { service } = subject();
      const sink = join(service.folder, 'from-source.csv');
      const journal = join(service.folder, 'source.journal');
      const application = join(import.meta.dirname, 'applications/count_up.py');
      const pipeline = await service.register({
        name: 'spark-source',
        version: '1',
        definition: {
          partitioning: { column: 'day', size: 'day' },
          sources: { counted: { type: 'spark', application, args: [journal, '3'], conf: SMALL_JOB } },
          quality_checks: { checks: [{ source: 'counted', type: 'row_count', min: 3, max: 3 }] },
          transformations: [{ name: 'doubled', engine: 'sql', sql: 'select n * 2 as n, day from counted order by n' }],
          sinks: { file: { type: 'file', from: 'doubled', path: sink, format: 'csv' } },
        },
      });
      const interval = { start: '2001-01-01T00:00:00Z', end: '2001-01-02T00:00:00Z' };
      const run = await service.execute(pipeline, { interval });
      expect(await service.ended(run.workflowId, 150_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await readFile(sink, 'utf8')).toBe('n,day\n2,2001-01-01\n4,2001-01-01\n6,2001-01-01\n');
      expect(await wordsIn(journal)).toEqual(['begin', 'end']);
      expect(await sparkStep(subject(), run.executionId, 'extract:counted')).toMatchObject({
        status: 'COMPLETED',
        attempts: 1,
        externalUrl: expect.stringContaining('driver-') as string,
      });
    });

    test('when the application fails once, runs it a second time under the next name', async () => {
      const { spark, service } = subject();
      const before = (await spark.drivers()).length;
      const run = await startRun(subject(), { application: 'journal.py', fate: 'fail-once' });
      expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await wordsIn(run.journal)).toEqual(['begin', 'begin', 'end']);
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
      expect(await sparkStep(subject(), run.executionId)).toMatchObject({ attempts: 2 });
      const states = (await spark.drivers()).slice(before).map(({ state }) => state);
      expect(states).toEqual(['FAILED', 'FINISHED']);
    });

    test('when the application fails each time, fails with the end of its log', async () => {
      const { service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', fate: 'fail', maxAttempts: 1 });
      expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'FAILED' });
      const { error, attempts } = await sparkStep(subject(), run.executionId);
      expect(attempts).toBe(1);
      expect(error?.type).toBe('JobFailedError');
      expect(error?.message).toMatch(/^The Spark job ps-[0-9a-f]{20}-g1 failed\nThe end of its driver's log:\n/);
      expect(error?.message).toContain('it rains');
      expect(error?.message).toMatch(/ValueError: not today$/);
    });

    test('when the application leaves no output, completes, and the sink that wants it says so', async () => {
      const { service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', fate: 'leave-nothing' });
      const ended = await service.ended(run.workflowId, 120_000);
      expect(ended.result?.reason).toBe('job left no output that another step could read');
      expect(await sparkStep(subject(), run.executionId)).toMatchObject({ status: 'COMPLETED' });
    });

    test('when the application is not there, fails at the first attempt and submits nothing', async () => {
      const { spark, service } = subject();
      const before = (await spark.drivers()).length;
      const run = await startRun(subject(), { application: join(service.folder, 'nowhere.py') });
      expect(await service.ended(run.workflowId)).toMatchObject({
        status: 'FAILED',
        retries: 0,
        result: { reason: expect.stringContaining('nowhere.py: there is no such file') as string },
      });
      expect(await spark.drivers()).toHaveLength(before);
    });

    test('when the run is cancelled, ends the driver and the application', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 600 });
      const [application] = await processesIn(run.journal);
      const cancelledAtMs = performance.now();
      await cancel(subject(), run.workflowId);
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(performance.now() - cancelledAtMs).toBeLessThan(60_000);
      expect(lives(application)).toBe(false);
      expect((await spark.drivers()).at(-1)?.state).toMatch(/^(KILLED|FAILED)$/);
      expect(await wordsIn(run.journal)).toEqual(['begin']);
    });

    test('when the run is cancelled while Spark is away, ends the application all the same', async () => {
      const { service, proxy } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 600 });
      const [application] = await processesIn(run.journal);
      proxy.hooks = { onRequest: () => 'cut' };
      await cancel(subject(), run.workflowId);
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect(lives(application)).toBe(false);
    });

    test('when the run is cancelled while its driver waits for a worker, takes it out of the queue', async () => {
      const { spark, service } = subject();
      const conf = { 'spark.driver.memory': '900g' };
      const run = await startRun(subject(), { application: 'journal.py', conf });
      let step = await sparkStep(subject(), run.executionId);
      while (step.externalUrl === undefined) {
        await sleep(200);
        step = await sparkStep(subject(), run.executionId);
      }
      expect((await spark.drivers()).at(-1)).toMatchObject({ state: 'SUBMITTED' });
      await cancel(subject(), run.workflowId);
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'CANCELLED' });
      expect((await spark.drivers()).at(-1)).toMatchObject({ state: 'KILLED' });
      expect(await wordsIn(run.journal)).toEqual([]);
    });

    test('when somebody kills the driver in Spark, fails and does not run the application again', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 600, maxAttempts: 2 });
      const [application] = await processesIn(run.journal);
      await fetch(`${spark.url}/v1/submissions/kill/${(await spark.drivers()).at(-1)?.id ?? ''}`, { method: 'POST' });
      const ended = await service.ended(run.workflowId, 120_000);
      expect(ended.result?.reason).toMatch(/^The Spark job ps-[0-9a-f]{20}-g1 was killed in Spark/);
      expect(await wordsIn(run.journal)).toEqual(['begin']);
      expect(lives(application)).toBe(false);
    });

    test("when the driver's process is killed, ends the application before it runs it anew", async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 10 });
      const [application] = await processesIn(run.journal);
      process.kill(await spark.driverProcess((await spark.drivers()).at(-1)?.id ?? ''), 'SIGKILL');
      await processesIn(run.journal, 2);
      expect(lives(application)).toBe(false);
      expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await wordsIn(run.journal)).toEqual(['begin', 'begin', 'end']);
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
    });

    test('when the worker of this service shuts down meanwhile, leaves the driver to the next one', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 12 });
      const [application] = await processesIn(run.journal);
      expect(await service.stop()).toBe(0);
      expect(lives(application)).toBe(true);
      await service.start();
      expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
      expect((await spark.drivers()).at(-1)).toMatchObject({ state: 'FINISHED' });
    });

    test('when the master is away as the application ends, and has forgotten it after, takes what it left', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 8 });
      await processesIn(run.journal);
      await spark.kill('master');
      try {
        expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      } finally {
        await spark.startMaster();
      }
      expect(await sparkStep(subject(), run.executionId)).toMatchObject({ attempts: 1 });
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
    });

    test('when Spark is away as it is to be submitted, waits for it', async () => {
      const { service, proxy } = subject();
      proxy.hooks = { onRequest: () => 'cut' };
      const run = await startRun(subject(), { application: 'journal.py' });
      await service.until(run.workflowId, ({ currentActivity }) => currentActivity === 'run_spark_job');
      await sleep(3_000);
      proxy.hooks = {};
      expect(await service.ended(run.workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
    });
  });

  describe('a master that lost its state', () => {
    test('when it comes back to a driver that it does not know, never has two that work', async () => {
      const { spark, service } = subject();
      const run = await startRun(subject(), { application: 'journal.py', seconds: 10 });
      const [first] = await processesIn(run.journal);
      await spark.kill('master');
      await spark.forget();
      await spark.startMaster();
      const ended = await service.ended(run.workflowId, 170_000);
      expect(ended).toMatchObject({ status: 'COMPLETED' });
      expect(lives(first)).toBe(false);
      // Whether the worker comes back in time for the master to have it end the driver is Spark's affair.
      const words = await wordsIn(run.journal);
      expect([
        ['begin', 'end'],
        ['begin', 'begin', 'end'],
      ]).toContainEqual(words);
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
    });
  });
}

async function cancel({ service }: Subject, workflowId: string): Promise<void> {
  const { status } = await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, {
    name: 'cancellation',
    data: {},
  });
  expect(status).toBe(202);
}
