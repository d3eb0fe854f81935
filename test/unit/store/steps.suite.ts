import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { submittedRun } from './store-fixtures.ts';
import type { Subject } from './on-each-database.ts';

export function stepsSuite(subject: Subject): void {
  const plannedRun = async () => {
    const { executionId } = await submittedRun(subject.store);
    await subject.store.steps.plan(executionId, [
      { step: 'extract:zebra', activity: 'extract_data' },
      { step: 'extract:ant', activity: 'extract_data', reused: { from: 'earlier', result: { rows: 7, bytes: 70 } } },
      { step: 'gate', activity: 'wait_for_approval' },
      { step: 'load:out', activity: 'write_file' },
    ]);
    return executionId;
  };
  const stepsOf = async (executionId: string) =>
    Object.fromEntries((await subject.store.steps.list(executionId)).map((row) => [row.step, row]));

  test('Steps, when they are planned, are listed in the order of the plan, reused ones COMPLETED', async () => {
    const executionId = await plannedRun();
    await subject.store.steps.plan(executionId, [{ step: 'gate', activity: 'other' }]);
    const rows = await subject.store.steps.list(executionId);
    expect(rows.map(({ step, status }) => [step, status])).toEqual([
      ['extract:zebra', 'PENDING'],
      ['extract:ant', 'COMPLETED'],
      ['gate', 'PENDING'],
      ['load:out', 'PENDING'],
    ]);
    expect(rows[1]).toMatchObject({ rows: 7, bytes: 70, reusedFrom: 'earlier', result: { rows: 7, bytes: 70 } });
    expect(rows[2]?.activity).toBe('wait_for_approval');
    expect((await subject.store.steps.listOf([executionId, 'nobody'])).get(executionId)).toEqual(rows);
  });

  test('An attempt, when it is told twice, counts once, and its outcome is recorded', async () => {
    const { steps } = subject.store;
    const executionId = await plannedRun();
    const attempt = { executionId, step: 'extract:zebra', attemptToken: randomUUID() };
    const at = new Date(Date.UTC(2026, 0));
    await steps.started({ ...attempt, activity: 'run_spark_job', at });
    await steps.started({ ...attempt, activity: 'run_spark_job' });
    expect((await stepsOf(executionId))['extract:zebra']).toMatchObject({
      status: 'RUNNING',
      activity: 'run_spark_job',
      attempts: 1,
      startedAt: at,
      finishedAt: null,
    });
    const details = { rows: 5, bytes: 2 ** 40, externalUrl: 'http://spark', result: { rows: 5 } };
    expect(await steps.finished({ ...attempt, status: 'COMPLETED', ...details })).toBe(true);
    const row = (await stepsOf(executionId))['extract:zebra'];
    expect(row).toMatchObject({ status: 'COMPLETED', attempts: 1, ...details });
    expect(row?.finishedAt).toBeInstanceOf(Date);
  });

  test('A link, when an attempt shows it, is there while it works and after it failed, and only the owner shows one', async () => {
    const { steps } = subject.store;
    const executionId = await plannedRun();
    const attempt = { executionId, step: 'load:out', attemptToken: 'mine' };
    await steps.started({ ...attempt, activity: 'trigger_airflow_dag' });
    await steps.linked(attempt, 'http://airflow/run');
    await steps.linked({ ...attempt, attemptToken: 'lost' }, 'http://airflow/other');
    expect((await stepsOf(executionId))['load:out']).toMatchObject({
      status: 'RUNNING',
      externalUrl: 'http://airflow/run',
    });
    await steps.finished({ ...attempt, status: 'FAILED', error: { type: 'JobFailedError', message: 'no' } });
    expect((await stepsOf(executionId))['load:out']).toMatchObject({
      status: 'FAILED',
      externalUrl: 'http://airflow/run',
    });
  });

  test('An attempt that was thought lost, when its successor works, records nothing any more', async () => {
    const { steps } = subject.store;
    const executionId = await plannedRun();
    const lost = { executionId, step: 'load:out', activity: 'write_file', attemptToken: 'lost' };
    await steps.started(lost);
    await steps.finished({ ...lost, status: 'FAILED', error: { type: 'UnavailableError', message: 'a\0\ud800' } });
    await steps.started({ ...lost, attemptToken: 'successor' });
    expect(await steps.finished({ ...lost, status: 'COMPLETED', rows: 1 })).toBe(false);
    expect((await stepsOf(executionId))['load:out']).toMatchObject({
      status: 'RUNNING',
      attempts: 2,
      rows: null,
      error: null,
    });
    expect(await steps.finished({ ...lost, attemptToken: 'successor', status: 'COMPLETED', rows: 2 })).toBe(true);
  });

  test('A step, when the workflow has had its word, is no attempt’s any more', async () => {
    const { steps } = subject.store;
    const executionId = await plannedRun();
    const attempt = { executionId, step: 'load:out', attemptToken: 'first' };
    await steps.started({ ...attempt, activity: 'write_file' });
    const startedAt = new Date(Date.UTC(2026, 0));
    await steps.setStatus(executionId, 'load:out', 'CANCELLED', { startedAt, error: { type: 'X', message: 'said' } });
    expect(await steps.finished({ ...attempt, status: 'COMPLETED' })).toBe(false);
    expect((await stepsOf(executionId))['load:out']).toMatchObject({
      status: 'CANCELLED',
      startedAt,
      error: { type: 'X', message: 'said' },
    });
  });

  test('Steps, when the workflow settles them, keep what their attempts recorded and get what nobody did', async () => {
    const { steps } = subject.store;
    const executionId = await plannedRun();
    const [startedAt, finishedAt] = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'];
    const recorded = { executionId, step: 'extract:zebra', activity: 'extract_data', attemptToken: 'a' };
    await steps.started(recorded);
    await steps.finished({ ...recorded, status: 'FAILED', error: { type: 'JobFailedError', message: 'mine' } });
    await steps.settle(executionId, [
      { step: 'extract:zebra', activity: 'extract_data', status: 'CANCELLED', startedAt, finishedAt, error: 'yours' },
      { step: 'extract:ant', activity: 'extract_data', status: 'COMPLETED', startedAt, finishedAt },
      {
        step: 'gate',
        activity: 'wait_for_approval',
        status: 'FAILED',
        startedAt,
        finishedAt,
        error: 'it’s late\0\ud800',
      },
      { step: 'load:out', activity: 'write_file', status: 'SKIPPED' },
    ]);
    const rows = await stepsOf(executionId);
    expect(rows['extract:zebra']).toMatchObject({
      status: 'CANCELLED',
      error: { type: 'JobFailedError', message: 'mine' },
    });
    expect(rows['extract:zebra']?.startedAt).not.toEqual(new Date(startedAt));
    expect(rows['extract:ant']).toMatchObject({ status: 'COMPLETED', startedAt: null });
    expect(rows['gate']).toMatchObject({
      status: 'FAILED',
      startedAt: new Date(startedAt),
      finishedAt: new Date(finishedAt),
      error: { type: 'StepError', message: 'it’s late\u{fffd}\u{fffd}' },
    });
    expect(rows['load:out']).toMatchObject({ status: 'SKIPPED', startedAt: null, finishedAt: null });
  });

  test('Steps, when their run is closed by others, are left neither running nor pending', async () => {
    const executionId = await plannedRun();
    const attempt = { executionId, step: 'extract:zebra', activity: 'extract_data', attemptToken: 'a' };
    await subject.store.steps.started(attempt);
    await subject.store.runs.close({ executionId, status: 'TERMINATED' });
    const rows = await subject.store.steps.list(executionId);
    expect(rows.map(({ status }) => status)).toEqual(['CANCELLED', 'COMPLETED', 'SKIPPED', 'SKIPPED']);
    expect(await subject.store.steps.finished({ ...attempt, status: 'COMPLETED' })).toBe(false);
  });

  test('The log of a step, when it is long, has its last 1,000 lines, and other steps keep theirs', async () => {
    const { logs } = subject.store;
    const executionId = randomUUID();
    const at = new Date(Date.UTC(2026, 0));
    const line = (n: number) => ({ at, level: 'info' as const, message: `line ${n}` });
    await logs.append(executionId, 'quality', 1, [{ ...line(0), level: 'warn' }]);
    for (const start of [0, 400, 800]) {
      const lines = Array.from({ length: 400 }, (_, n) => line(start + n));
      await logs.append(executionId, 'extract:zebra', 1 + start / 400, lines);
    }
    const kept = await logs.list(executionId, 'extract:zebra');
    expect(kept).toHaveLength(1000);
    expect(kept[0]).toEqual({ at, level: 'info', message: 'line 200', attempt: 1 });
    expect(kept.at(-1)).toEqual({ at, level: 'info', message: 'line 1199', attempt: 3 });
    expect(await logs.list(executionId, 'quality')).toEqual([{ at, level: 'warn', message: 'line 0', attempt: 1 }]);
    await logs.append(executionId, 'gate', 1, []);
    await logs.append(executionId, 'gate', 1, [{ at, level: 'error', message: `a\0b${'x'.repeat(9_996)}\u{1f600}` }]);
    const [cut] = await logs.list(executionId, 'gate');
    expect(cut?.message).toBe(`a\u{fffd}b${'x'.repeat(9_996)}\u{fffd}`);
  });
}
