import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { cancellationSignal, type StepInput, type StepResult } from '../../src/workflows/messages.ts';
import { untilCancelled } from '../support/until-cancelled.ts';
import { runInput, workflowBench } from '../support/pipeline-workflow.ts';
import { testTemporal } from '../support/temporal.ts';

const JOB = 'transform:dag';

/** One transformation whose work is a job in another system; its activity waits so long between attempts. */
function withRemoteStep(initialIntervalMs = 20) {
  const input = runInput();
  const quick = { initialIntervalMs, maximumIntervalMs: initialIntervalMs, maximumAttempts: 2 };
  return runInput({
    transformations: [{ step: JOB, activity: 'trigger_airflow_dag', inputs: ['a'] }],
    loads: [{ step: 'load:file', activity: 'write_file', inputs: ['dag'] }],
    policies: { ...input.plan.policies, trigger_airflow_dag: quick },
  });
}

/** A system with one job, as the step's activity sees it: `work` awaits it, `stop` ends it. */
function jobOf(work: () => Promise<StepResult>, stop: () => Promise<StepResult> = () => Promise.resolve({})) {
  const asked: ('work' | 'stop')[] = [];
  return {
    asked,
    trigger_airflow_dag: (input: StepInput) => {
      asked.push(input.stop === true ? 'stop' : 'work');
      return input.stop === true ? stop() : work();
    },
  };
}

const failing = (type: string) => () => Promise.reject(ApplicationFailure.create({ message: 'no', type }));

test('a job in another system, when it succeeds, is not stopped', async () => {
  const { asked, ...activities } = jobOf(() => Promise.resolve({ output: { uri: 'file:///x/', rows: 1, bytes: 1 } }));
  await using bench = await workflowBench(await testTemporal(), { activities });
  const run = await bench.start(withRemoteStep());
  expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
  expect(asked).toEqual(['work']);
});

test('a job in another system, when the run is cancelled while it is awaited, is stopped before the run ends', async () => {
  const { asked, ...activities } = jobOf(untilCancelled);
  await using bench = await workflowBench(await testTemporal(), { activities });
  const run = await bench.start(withRemoteStep());
  await run.until(() => asked.length > 0);
  await run.handle.signal(cancellationSignal, {});
  expect(await run.result()).toMatchObject({ status: 'CANCELLED' });
  expect(asked).toEqual(['work', 'stop']);
});

test('a job in another system, when the run is cancelled between two attempts, is stopped all the same', async () => {
  const { asked, ...activities } = jobOf(failing('UnavailableError'));
  await using bench = await workflowBench(await testTemporal(), { activities });
  const run = await bench.start(withRemoteStep(600_000));
  await run.until(() => asked.length > 0);
  await run.handle.signal(cancellationSignal, {});
  expect(await run.result()).toMatchObject({ status: 'CANCELLED' });
  expect(asked).toEqual(['work', 'stop']);
});

test('a job in another system, when its step fails for good, is stopped: it may still work', async () => {
  const { asked, ...activities } = jobOf(failing('UnavailableError'));
  await using bench = await workflowBench(await testTemporal(), { activities });
  const run = await bench.start(withRemoteStep());
  await expect(run.result()).rejects.toThrow();
  expect(asked).toEqual(['work', 'work', 'stop']);
});

test('a job in another system, when it cannot be stopped, lets the run end and is told of in its notes', async () => {
  const impossible = () => Promise.reject(ApplicationFailure.nonRetryable('the password was refused'));
  const { asked, ...activities } = jobOf(untilCancelled, impossible);
  await using bench = await workflowBench(await testTemporal(), { activities });
  const run = await bench.start(withRemoteStep());
  await run.until(() => asked.length > 0);
  await run.handle.cancel();
  await expect(run.result()).rejects.toThrow();
  expect(bench.store.closed[0]).toMatchObject({
    result: { status: 'CANCELLED' },
    notes: [`${JOB}: its job may still be running, it could not be stopped: the password was refused`],
  });
});

test.each([
  ['spark', ['work', 'stop']],
  [undefined, ['work']],
] as const)('SQL, when the run is cancelled and its compute is %s, is asked: %j', async (compute, expected) => {
  const { asked, trigger_airflow_dag: runSql } = jobOf(untilCancelled);
  await using bench = await workflowBench(await testTemporal(), { activities: { run_sql: runSql } });
  const transformations = [{ step: 'transform:dag', activity: 'run_sql' as const, inputs: ['a'] }];
  const loads = [{ step: 'load:file', activity: 'write_file' as const, inputs: ['dag'] }];
  const run = await bench.start(runInput({ transformations, loads, ...(compute && { compute }) }));
  await run.until(() => asked.length > 0);
  await run.handle.signal(cancellationSignal, {});
  expect(await run.result()).toMatchObject({ status: 'CANCELLED' });
  expect(asked).toEqual(expected);
});
