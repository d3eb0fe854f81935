import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { PipelineActivities } from '../../src/activities/pipeline-activities.ts';
import {
  approvalSignal,
  cancellationSignal,
  pauseSignal,
  resumeSignal,
  slotFreedSignal,
  type StepInput,
} from '../../src/workflows/messages.ts';
import { type Call, runInput, StandInStore, workflowBench } from '../support/pipeline-workflow.ts';
import { testTemporal } from '../support/temporal.ts';

const failing = (message: string) => () =>
  Promise.reject(ApplicationFailure.create({ message, type: 'JobFailedError', nonRetryable: false }));

/** Waits for its cancellation, heartbeating, as every activity of ours does. */
async function untilCancelled(): Promise<never> {
  const { cancelled, heartbeat } = Context.current();
  const beats = setInterval(() => {
    heartbeat();
  }, 100);
  try {
    return await cancelled;
  } finally {
    clearInterval(beats);
  }
}

const stepsCalled = (calls: Call[], activity: string) =>
  calls.filter((call) => call.activity === activity).map((call) => call.input.step);

describe('DataPipelineWorkflow on a real Temporal server, activities stand in', () => {
  test('a run, when nothing goes wrong, does every step once in order and records its end', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {} });
    const run = await bench.start(runInput());
    const result = await run.result();

    expect(result).toMatchObject({ status: 'COMPLETED', rowsProcessed: 20 });
    expect(Object.keys(result.outputs)).toEqual(['lake', 'file']);
    const order = bench.calls.map(({ activity, input }) => `${activity} ${input.step}`);
    expect(order.indexOf('validate_quality quality')).toBe(2);
    expect(order.indexOf('run_sql transform:first')).toBe(3);
    expect(order.slice(6, 8).sort()).toEqual(['load_to_iceberg load:lake', 'write_file load:file']);
    expect(order).toHaveLength(9);
    expect(bench.store.closed).toHaveLength(1);
    expect(bench.store.closed[0]?.steps.every(({ status }) => status === 'COMPLETED' || status === 'SKIPPED')).toBe(
      true,
    );
  });

  test('a transformation, when it is called, gets references to all sources and to what it depends on', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {} });
    await (await bench.start(runInput())).result();
    const left = bench.calls.find(({ input }) => input.step === 'transform:left');
    expect(Object.keys(left?.input.inputs ?? {})).toEqual(['a', 'b', 'first']);
    expect(left?.input.inputs['first']?.uri).toBe('file:///staging/transform:first/');
  });

  test.each(['extract_data', 'validate_quality', 'run_sql', 'load_to_iceberg', 'write_file'] as const)(
    'a run, when %s fails for good, fails with its message and tells people',
    async (activity) => {
      const failed = { [activity]: failing('the disk is on fire') } as Partial<PipelineActivities>;
      await using bench = await workflowBench(await testTemporal(), { activities: failed });
      const run = await bench.start(runInput());
      await expect(run.result()).rejects.toBeInstanceOf(WorkflowFailedError);

      expect(bench.store.closed[0]?.result).toMatchObject({ status: 'FAILED', reason: 'the disk is on fire' });
      expect(bench.store.closed[0]?.error).toEqual({ type: 'JobFailedError', message: 'the disk is on fire' });
      expect(stepsCalled(bench.calls, 'notify_failure')).toHaveLength(1);
      expect(stepsCalled(bench.calls, 'notify_pipeline_completion')).toHaveLength(0);
    },
  );

  test('a run, when one transformation fails, cancels the one beside it and loads nothing', async () => {
    await using bench = await workflowBench(await testTemporal(), {
      activities: {
        run_sql: (input: StepInput) => {
          if (input.step === 'transform:left') return failing('left failed')();
          if (input.step === 'transform:right') return untilCancelled();
          return Promise.resolve({ output: { uri: 'file:///x/', rows: 1, bytes: 1 } });
        },
      },
    });
    await expect((await bench.start(runInput())).result()).rejects.toThrow();
    const steps = Object.fromEntries((bench.store.closed[0]?.steps ?? []).map(({ step, status }) => [step, status]));
    expect(steps).toMatchObject({
      'transform:left': 'FAILED',
      'transform:right': 'CANCELLED',
      'load:lake': 'SKIPPED',
    });
    expect(stepsCalled(bench.calls, 'load_to_iceberg')).toEqual([]);
  });

  test('the gate, when a person says yes, lets the run go on', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const input = runInput();
    const run = await bench.start(input);
    const waiting = await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    expect(waiting.currentActivity).toBe('wait_for_approval');
    expect(stepsCalled(bench.calls, 'run_sql')).toEqual([]);

    bench.store.answers.set(input.executionId, { answerId: '1', kind: 'approved', answeredBy: 'jane' });
    await run.handle.signal(approvalSignal, { answerId: '1' });
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
    expect(stepsCalled(bench.calls, 'notify_quality_issue')).toHaveLength(1);
  });

  test('the gate, when a person says no, ends the run by that name and loads nothing', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const input = runInput();
    const run = await bench.start(input);
    await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    bench.store.answers.set(input.executionId, { answerId: '1', kind: 'rejected', answeredBy: 'jane' });
    await run.handle.signal(approvalSignal, { answerId: '1' });
    expect(await run.result()).toMatchObject({ status: 'CANCELLED', reason: 'Rejected by jane', rowsProcessed: 0 });
    expect(stepsCalled(bench.calls, 'load_to_iceberg')).toEqual([]);
  });

  test('the gate, when nobody answers, closes and refuses', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const run = await bench.start(runInput({ gate: { timeoutMs: 300, remindAfterMs: [100] } }));
    expect(await run.result()).toMatchObject({ status: 'CANCELLED', reason: 'Quality below threshold' });
    expect(stepsCalled(bench.calls, 'notify_quality_issue')).toHaveLength(2);
    expect(stepsCalled(bench.calls, 'load_to_iceberg')).toEqual([]);
  });

  test('the gate, when an accepted answer is delivered only after the deadline, counts the answer', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const input = runInput({ gate: { timeoutMs: 400, remindAfterMs: [] } });
    const run = await bench.start(input);
    await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    bench.store.answers.set(input.executionId, { answerId: '1', kind: 'approved', answeredBy: 'jane' });
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
  });

  test('the gate, when a raw signal names no recorded answer, ignores it and notes it', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const run = await bench.start(runInput());
    await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    await run.handle.signal('approval', { approved: true });
    const noted = await run.until(({ notes }) => notes.length > 0);
    expect(noted.pendingSignals).toEqual(['approval']);
    expect(noted.notes[0]).toMatch(/ignored/);
    await run.handle.signal(cancellationSignal, {});
    await run.result();
  });

  test('a run, when it is cancelled while it waits at the gate, ends CANCELLED with the reason', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const run = await bench.start(runInput());
    await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    await run.handle.signal(cancellationSignal, { reason: 'wrong day' });
    expect(await run.result()).toMatchObject({ status: 'CANCELLED', reason: 'wrong day' });
    expect(bench.store.closed[0]?.steps.find(({ step }) => step === 'gate')?.status).toBe('CANCELLED');
  });

  test('a run, when Temporal is told to cancel it midway, stops its activity and is Canceled there too', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: { run_sql: untilCancelled } });
    const run = await bench.start(runInput());
    await run.until(({ currentActivity }) => currentActivity === 'run_sql');
    await run.handle.cancel();
    await expect(run.result()).rejects.toThrow(WorkflowFailedError);
    expect((await run.handle.describe()).status.name).toBe('CANCELLED');
    expect(bench.store.closed[0]?.result).toMatchObject({ status: 'CANCELLED' });
  });

  test('a run, when its deadline passes, stops its activity, tells people and is TIMED_OUT', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: { run_sql: untilCancelled } });
    const run = await bench.start(runInput({ deadlineMs: 500 }));
    await expect(run.result()).rejects.toThrow(WorkflowFailedError);
    expect(bench.store.closed[0]?.result).toMatchObject({ status: 'TIMED_OUT', reason: 'Deadline exceeded' });
    expect(stepsCalled(bench.calls, 'notify_failure')).toHaveLength(1);
  });

  test('a paused run, when its activity ends, starts no other until it is resumed', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const input = runInput();
    const run = await bench.start(input);
    await run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
    await run.handle.signal(pauseSignal);
    bench.store.answers.set(input.executionId, { answerId: '1', kind: 'approved', answeredBy: 'jane' });
    await run.handle.signal(approvalSignal, { answerId: '1' });
    const paused = await run.until(({ steps }) =>
      steps.some(({ step, status }) => step === 'gate' && status === 'COMPLETED'),
    );
    expect(paused).toMatchObject({ paused: true, currentActivity: null });
    expect(stepsCalled(bench.calls, 'run_sql')).toEqual([]);
    await run.handle.signal(resumeSignal);
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
  });

  test('a step, when its attempts ran out because their workers shut down, is scheduled anew', async () => {
    let attempts = 0;
    await using bench = await workflowBench(await testTemporal(), {
      activities: {
        write_file: () => {
          attempts += 1;
          if (attempts <= 5) {
            return Promise.reject(ApplicationFailure.create({ type: 'WorkerShutdown', nextRetryDelay: '10ms' }));
          }
          return Promise.resolve({ rows: 1 });
        },
      },
    });
    expect(await (await bench.start(runInput())).result()).toMatchObject({ status: 'COMPLETED' });
    expect(attempts).toBe(6);
  });

  test('a step, when its worker dies without a word, is scheduled anew once its heartbeats are missed', async () => {
    let attempts = 0;
    const silence = Promise.withResolvers<never>();
    await using bench = await workflowBench(await testTemporal(), {
      activities: {
        write_file: () => {
          attempts += 1;
          return attempts === 1 ? silence.promise : Promise.resolve({ rows: 1 });
        },
      },
    });
    const input = runInput({ heartbeatTimeoutMs: 1000 });
    input.plan.policies.write_file = { maximumAttempts: 1 };
    const run = await bench.start(input);
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
    expect((await run.progress()).notes[0]).toMatch(/load:file.*lost/);
    silence.reject(new Error('the attempt that was thought lost'));
  });

  test('a notification, when it cannot be sent, never fails the run and shows in its notes', async () => {
    await using bench = await workflowBench(await testTemporal(), {
      activities: { notify_pipeline_completion: failing('nobody home') },
    });
    const run = await bench.start(runInput());
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
    expect((await run.progress()).notes).toEqual(['notify_pipeline_completion failed: nobody home']);
  });

  test('a limited run, when no slot is free, waits for one without working', async () => {
    const store = new StandInStore();
    store.slotsFree = 0;
    await using bench = await workflowBench(await testTemporal(), { activities: {}, store });
    const run = await bench.start(runInput({ maxRuns: 1 }));
    await run.until(({ currentActivity }) => currentActivity === 'wait_for_slot');
    expect(bench.calls).toEqual([]);
    store.slotsFree = 1;
    await run.handle.signal(slotFreedSignal);
    expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
  });

  test('a workflow, when its run was taken back before it began, ends without doing or recording anything', async () => {
    const store = new StandInStore();
    store.begin_run = () => Promise.reject(ApplicationFailure.nonRetryable('given up', 'RunAbandoned'));
    await using bench = await workflowBench(await testTemporal(), { activities: {}, store });
    await expect((await bench.start(runInput())).result()).rejects.toThrow(WorkflowFailedError);
    expect(bench.calls).toEqual([]);
    expect(store.closed).toEqual([]);
  });

  test('a retry, when steps of the earlier run are reused, does only the others, with the earlier outputs', async () => {
    await using bench = await workflowBench(await testTemporal(), { activities: {}, score: 0.5 });
    const input = runInput();
    const kept = (name: string) => ({ rows: 1, output: { uri: `file:///kept/${name}/`, rows: 1, bytes: 1 } });
    input.reused = {
      'extract:a': kept('a'),
      'extract:b': kept('b'),
      quality: {},
      gate: {},
      'transform:first': kept('first'),
      'transform:left': kept('left'),
      'load:lake': { rows: 7 },
    };
    expect(await (await bench.start(input)).result()).toMatchObject({ status: 'COMPLETED', rowsProcessed: 17 });
    expect(bench.calls.map(({ input: { step } }) => step).slice(0, 2)).toEqual(['transform:right', 'load:file']);
    expect(bench.calls[0]?.input.inputs['first']?.uri).toBe('file:///kept/first/');
  });
});
