/** Partitions that are runs of their own, since a step of the pipeline works in another system. */
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { PipelineActivities } from '../../src/activities/pipeline-activities.ts';
import type { StepInput } from '../../src/workflows/messages.ts';
import { untilCancelled } from '../support/until-cancelled.ts';
import { type BackfillBench, backfillBench } from '../support/backfill-bench.ts';
import { testTemporal } from '../support/temporal.ts';

type Behaviour = (input: StepInput) => Promise<object> | undefined;

let bench: BackfillBench;
/** What a test wants of an activity; without it the stand-in's own answer. */
let behaviour: Partial<Record<keyof PipelineActivities, Behaviour>> = {};
let dagsAtWork = 0;
let mostDagsAtWork = 0;
const stopped: string[] = [];

const output = { uri: 'file:///staging/x/', rows: 10, bytes: 100 };
const answer = { rows: 10, bytes: 100, output };

beforeAll(async () => {
  const called = (name: keyof PipelineActivities, otherwise: object) => async (input: StepInput) => {
    if (input.stop === true) {
      stopped.push(input.executionId);
      return {};
    }
    bench.calls.push({ activity: name, input });
    return (await behaviour[name]?.(input)) ?? otherwise;
  };
  bench = await backfillBench(await testTemporal(), {
    extract_data: called('extract_data', answer),
    validate_quality: called('validate_quality', { score: 1, needsApproval: false }) as never,
    write_file: called('write_file', answer),
    async trigger_airflow_dag(input) {
      dagsAtWork += 1;
      mostDagsAtWork = Math.max(mostDagsAtWork, dagsAtWork);
      try {
        return await called('trigger_airflow_dag', answer)(input);
      } finally {
        dagsAtWork -= 1;
      }
    },
  });
}, 60_000);
afterAll(() => bench[Symbol.asyncDispose]());

function expecting(wanted: typeof behaviour): void {
  behaviour = wanted;
  bench.calls.length = 0;
  stopped.length = 0;
  mostDagsAtWork = 0;
}

const callsOf = (activity: string) => bench.calls.filter((call) => call.activity === activity);
const ofPartition = (position: number, round = 1) => new RegExp(`-${round}-${position}$`);

test('a backfill, when a step works in another system, makes each partition a run, as many at a time as it may', async () => {
  const three = Promise.withResolvers<void>();
  expecting({
    async trigger_airflow_dag({ executionId }) {
      if (dagsAtWork === 3) three.resolve();
      if (/-1-[012]$/.test(executionId)) await three.promise;
      return answer;
    },
  });
  const id = await bench.start(6, { concurrency: 3 });
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'COMPLETED', rows: 60, counts: { COMPLETED: 6 } });
  // Its `max_runs` of 1 limits those that people start, not the partitions.
  expect(mostDagsAtWork).toBe(3);

  const partitions = await bench.partitions(id);
  const runs = await bench.runs(id);
  expect(partitions.map(({ executionId }) => executionId)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `${id}-1-${n}`));
  expect(runs.map(({ executionId }) => executionId).sort()).toEqual(partitions.map(({ executionId }) => executionId));
  const second = runs.find(({ executionId }) => executionId === `${id}-1-1`);
  expect(second).toMatchObject({
    status: 'COMPLETED',
    workflowId: `backfill-${id}-1-2001-01-02T00:00:00.000Z`,
    rootExecutionId: `${id}.1/2001-01-02T00:00:00+00:00`,
    trigger: 'backfill',
    submittedBy: 'jane',
    slot: null,
    intervalStart: new Date('2001-01-02T00:00:00Z'),
    intervalEnd: new Date('2001-01-03T00:00:00Z'),
    rowsProcessed: 10,
  });
  const steps = await bench.store.steps.list(`${id}-1-1`);
  expect(steps.map(({ step, status }) => [step, status])).toEqual([
    ['extract:days', 'COMPLETED'],
    ['quality', 'COMPLETED'],
    ['gate', 'SKIPPED'],
    ['transform:dag', 'COMPLETED'],
    ['load:out', 'COMPLETED'],
    ['notify', 'SKIPPED'],
  ]);
  expect(callsOf('write_file')).toHaveLength(6);
  const told = callsOf('notify_pipeline_completion').map(({ input }) => input);
  expect(told).toEqual([{ backfillId: id, round: 1, kind: 'completion' }]);
  await bench.replay(id);
});

test.each(['extract_data', 'validate_quality', 'trigger_airflow_dag', 'write_file'] as const)(
  'a partition, when %s fails in it, fails alone; a retry runs it anew in another round',
  async (activity) => {
    const no = ApplicationFailure.nonRetryable('no', 'JobFailedError');
    expecting({
      [activity]: ({ executionId }: StepInput) => (ofPartition(1).test(executionId) ? Promise.reject(no) : undefined),
    });
    const id = await bench.start(3);
    expect(await bench.ended(id)).toMatchObject({ status: 'FAILED', counts: { COMPLETED: 2, FAILED: 1 }, rows: 20 });
    const failed = (await bench.partitions(id))[1];
    expect(failed).toMatchObject({ state: 'FAILED', error: { type: 'JobFailedError', message: 'no' }, attempts: 1 });
    expect(await bench.store.runs.get(`${id}-1-1`)).toMatchObject({ status: 'FAILED', reason: 'no' });
    expect(stopped).toEqual(activity === 'trigger_airflow_dag' ? [`${id}-1-1`] : []);
    expect(callsOf('notify_failure')).toHaveLength(1);

    await bench.tell(id, 'retry');
    expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED', round: 2, rows: 30 });
    expect((await bench.partitions(id))[1]).toMatchObject({ executionId: `${id}-2-1`, attempts: 2 });
    expect(await bench.store.runs.get(`${id}-2-1`)).toMatchObject({ status: 'COMPLETED' });
    expect(await bench.runs(id)).toHaveLength(4);
    await bench.replay(id);
  },
);

test('a partition, when its quality is below the threshold, fails unloaded, and nobody is asked', async () => {
  expecting({
    validate_quality: ({ executionId }) =>
      ofPartition(0).test(executionId) ? Promise.resolve({ score: 0.5, needsApproval: true }) : undefined,
  });
  const id = await bench.start(2, { concurrency: 1, onFailure: 'stop' });
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'FAILED', counts: { FAILED: 1, CANCELLED: 1 }, rows: 0 });
  const error = { type: 'QualityBelowThreshold', message: 'Quality below threshold' };
  expect((await bench.partitions(id))[0]).toMatchObject({ state: 'FAILED', error });
  expect(await bench.store.runs.get(`${id}-1-0`)).toMatchObject({ status: 'FAILED', reason: error.message, error });
  expect(await bench.store.gates.find(`${id}-1-0`)).toBeUndefined();
  expect(callsOf('write_file')).toEqual([]);
  expect(callsOf('notify_quality_issue')).toEqual([]);
});

test('a backfill, when it is paused, starts no further run; cancelled, it ends those at work and their jobs', async () => {
  const finish: (() => void)[] = [];
  expecting({
    trigger_airflow_dag: ({ executionId }) =>
      ofPartition(0).test(executionId)
        ? new Promise((resolve) =>
            finish.push(() => {
              resolve(answer);
            }),
          )
        : untilCancelled(),
  });
  const id = await bench.start(4, { concurrency: 2 });
  await vi.waitUntil(() => callsOf('trigger_airflow_dag').length === 2, { timeout: 30_000 });
  await bench.tell(id, 'pause');
  finish.forEach((end) => {
    end();
  });
  await bench.until(id, ({ counts }) => counts.COMPLETED === 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await bench.get(id)).counts).toMatchObject({ RUNNING: 1, PENDING: 2 });
  expect(await bench.runs(id)).toHaveLength(2);

  await bench.tell(id, 'cancel');
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'CANCELLED', counts: { COMPLETED: 1, CANCELLED: 3 } });
  expect(stopped).toEqual([`${id}-1-1`]);
  expect(await bench.store.runs.get(`${id}-1-1`)).toMatchObject({ status: 'CANCELLED' });
  expect(callsOf('write_file')).toHaveLength(1);
  await bench.replay(id);
});

test('a run of a partition, when a person cancels it, fails the partition and no other', async () => {
  expecting({
    trigger_airflow_dag: ({ executionId }) => (ofPartition(0).test(executionId) ? untilCancelled() : undefined),
  });
  const id = await bench.start(2, { concurrency: 1 });
  await vi.waitUntil(() => callsOf('trigger_airflow_dag').length === 1, { timeout: 30_000 });
  const [run] = await bench.runs(id);
  await bench.client.workflow.getHandle(run?.workflowId ?? '').signal('cancellation', { reason: 'not this one' });
  expect(await bench.ended(id)).toMatchObject({ status: 'FAILED', counts: { COMPLETED: 1, FAILED: 1 } });
  expect((await bench.partitions(id))[0]?.error).toEqual({ type: 'RunEnded', message: 'not this one' });
});

test('a backfill, when its workflow is terminated, leaves no run and no job at work', async () => {
  expecting({ trigger_airflow_dag: untilCancelled });
  const id = await bench.start(4, { concurrency: 2 });
  await vi.waitUntil(() => callsOf('trigger_airflow_dag').length === 2, { timeout: 30_000 });
  await bench.client.workflow.getHandle(`backfill-${id}`).terminate();
  await vi.waitUntil(async () => (await bench.runs(id)).every(({ status }) => status === 'CANCELLED'), {
    timeout: 30_000,
    interval: 50,
  });
  expect(stopped.sort()).toEqual([`${id}-1-0`, `${id}-1-1`]);
});

test('a run that was started before, when its backfill begins anew, is adopted: nothing is done twice', async () => {
  expecting({
    trigger_airflow_dag: () =>
      new Promise((resolve) =>
        setTimeout(() => {
          resolve(answer);
        }, 1_500),
      ),
  });
  const id = 'adopting';
  const wake = await bench.start(1, {}, id);
  await vi.waitUntil(() => callsOf('trigger_airflow_dag').length === 1, { timeout: 30_000 });
  const handle = bench.client.workflow.getHandle(`backfill-${wake}`);
  const { runId } = await handle.describe();
  const { events } = await handle.fetchHistory();
  const first = events?.find(({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes);
  await bench.client.workflowService.resetWorkflowExecution({
    namespace: bench.client.options.namespace,
    workflowExecution: { workflowId: `backfill-${wake}`, runId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: 'reset',
    reason: 'a test',
  });
  expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED', rows: 10 });
  expect(callsOf('trigger_airflow_dag')).toHaveLength(1);
  expect(callsOf('write_file')).toHaveLength(1);
  expect(await bench.runs(id)).toHaveLength(1);
});

test('a run of a partition, when its backfill ends before the workflow of the run begins, is closed with it', async () => {
  expecting({});
  const { store, recorder } = bench;
  const done = await bench.start(1);
  await bench.ended(done);
  const { plan } = (await store.runs.get(`${done}-1-0`)).input;
  const backfillId = 'unstarted';
  const unstarted = { ...(await store.backfills.get(done)), backfillId, workflowId: 'backfill-unstarted' };
  await store.backfills.insert({ ...unstarted, ...{ planned: 0, runId: null, finishedAt: null } });
  await recorder.plan_partitions({ backfillId });
  const { partitions } = await recorder.next_partitions({ backfillId, limit: 1, exclude: [] });
  const [first = { position: 0, round: 1, startMs: 0, endMs: 1 }] = partitions;
  const at = { backfillId, requestId: 'r', ...first, plan };
  const begun = await recorder.begin_partition_run(at);
  expect(await recorder.begin_partition_run(at)).toEqual(begun);
  expect(await bench.partitions(backfillId)).toMatchObject([{ state: 'RUNNING', attempts: 1 }]);
  // Whoever starts what nobody has started yet leaves it to the backfill.
  expect(await store.runs.undelivered(new Date(Date.now() + 60_000))).toEqual([]);

  await store.backfills.terminate(backfillId);
  expect(await store.runs.get(`${backfillId}-1-0`)).toMatchObject({ status: 'CANCELLED', runId: null });
  expect(await recorder.begin_partition_run(at)).toBeNull();
});
