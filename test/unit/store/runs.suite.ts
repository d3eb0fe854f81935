import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { newPipeline, newRun, submittedRun } from './store-fixtures.ts';
import type { Subject } from './on-each-database.ts';

const FIRST_PAGE = { page: 0, size: 20 };

export function runsSuite(subject: Subject): void {
  test('A run, when it is inserted, is RUNNING and found by its ids, by its own tenant only', async () => {
    const { runs } = subject.store;
    const interval = { start: new Date('2001-01-01T00:00:00Z'), end: new Date('2001-01-02T00:00:00Z') };
    const run = await submittedRun(subject.store, { interval });
    expect(run).toMatchObject({ status: 'RUNNING', slot: null, runId: null, intervalEnd: interval.end });
    expect(await runs.find('default', run.executionId)).toEqual(run);
    expect(await runs.findByWorkflowId('default', run.workflowId)).toEqual(run);
    expect(await runs.get(run.executionId)).toEqual(run);
    expect(await runs.latestOf(run.pipelineId)).toEqual(run);
    expect(await runs.find('other', run.executionId)).toBeUndefined();
    expect(await runs.findByWorkflowId('other', run.workflowId)).toBeUndefined();
    await expect(runs.get('nobody')).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  test('A run, when its request is made again, exists; when another has its workflow id, that is said', async () => {
    const { runs } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const run = newRun(pipeline, { limit: { maxRuns: 1, onConflict: 'reject' } });
    expect(await runs.insert(run)).toMatchObject({ outcome: 'inserted' });
    expect(await runs.insert(run)).toMatchObject({ outcome: 'exists', run: { executionId: run.executionId } });
    const { workflowId } = run;
    expect(await runs.insert(newRun(pipeline, { workflowId }))).toEqual({ outcome: 'workflow-id-taken' });
  });

  test('Runs of one root, when they race, are open one at a time', async () => {
    const { runs } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const root = await submittedRun(subject.store, {}, pipeline);
    const retry = () => newRun(pipeline, { rootExecutionId: root.executionId, retryOf: root.executionId });
    await expect(runs.insert(retry())).rejects.toMatchObject({ code: 'CONFLICT' });
    await runs.close({ executionId: root.executionId, status: 'FAILED' });
    const racing = await Promise.allSettled(Array.from({ length: 5 }, () => runs.insert(retry())));
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('A limit that rejects, when twenty runs race for three, lets three in', async () => {
    const { runs } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const limit = { maxRuns: 3, onConflict: 'reject' as const };
    const racing = await Promise.allSettled(Array.from({ length: 20 }, () => runs.insert(newRun(pipeline, { limit }))));
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const outcome of racing) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' });
    }
    const [first] = (await runs.list('default', { pipeline: pipeline.name }, FIRST_PAGE)).items;
    await runs.close({ executionId: first?.executionId ?? '', status: 'COMPLETED' });
    expect(await runs.insert(newRun(pipeline, { limit }))).toMatchObject({ outcome: 'inserted' });
  });

  test('Waiting runs, when they race for slots, get them in the order of their submission, and all of them in the end', async () => {
    const { runs } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const limit = { maxRuns: 2, onConflict: 'queue' as const };
    const queue: string[] = [];
    for (let n = 0; n < 8; n++) {
      const submittedAt = new Date(Date.UTC(2026, 1, 1, 0, 0, n));
      queue.push((await submittedRun(subject.store, { limit, submittedAt }, pipeline)).executionId);
    }
    const acquire = async (ids: string[]) => {
      const got = await Promise.all(ids.map((id) => runs.acquireSlot(id, 2)));
      return ids.filter((_, n) => got[n]);
    };
    expect((await acquire(queue.toReversed())).toReversed()).toEqual(queue.slice(0, 2));
    expect(await acquire(queue.slice(0, 2))).toEqual(queue.slice(0, 2));
    for (let n = 0; n < queue.length; n++) {
      const { wake } = await runs.close({ executionId: queue[n] ?? '', status: 'COMPLETED' });
      const next = queue.slice(n + 2, n + 3);
      expect(wake).toEqual(next.map((id) => `pipeline-${id}`));
      expect(await acquire(queue.slice(n + 1))).toEqual(queue.slice(n + 1, n + 3));
    }
    expect(await acquire(queue)).toEqual([]);
  });

  test('Slots, when twenty waiting runs race for three, are three', async () => {
    const { runs } = subject.store;
    for (let round = 0; round < 4; round++) {
      const pipeline = await subject.store.pipelines.create(newPipeline());
      const limit = { maxRuns: 3, onConflict: 'queue' as const };
      const waiting = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          submittedRun(subject.store, { limit, submittedAt: new Date(Date.UTC(2026, 1, 1, 0, 0, n)) }, pipeline),
        ),
      );
      const got = await Promise.all(waiting.map(({ executionId }) => runs.acquireSlot(executionId, 3)));
      expect(got.filter(Boolean)).toHaveLength(3);
      expect(got.slice(0, 3)).toEqual([true, true, true]);
    }
  });

  test('A waiting run, when two runs end at once or one before it in the queue gives up, is woken', async () => {
    const { runs } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const limit = { maxRuns: 2, onConflict: 'queue' as const };
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      const submittedAt = new Date(Date.UTC(2026, 1, 1, 0, 0, n));
      ids.push((await submittedRun(subject.store, { limit, submittedAt }, pipeline)).executionId);
    }
    const [a = '', b = '', c = '', d = '', e = ''] = ids;
    expect([await runs.acquireSlot(a, 2), await runs.acquireSlot(b, 2), await runs.acquireSlot(d, 2)]).toEqual([
      true,
      true,
      false,
    ]);
    const closed = await Promise.all([a, b].map((executionId) => runs.close({ executionId, status: 'FAILED' })));
    expect(new Set(closed.flatMap(({ wake }) => wake))).toEqual(new Set([`pipeline-${c}`, `pipeline-${d}`]));
    // The one whose turn it is before has not asked yet: its slot stays its own.
    expect(await runs.acquireSlot(d, 2)).toBe(true);
    expect(await runs.acquireSlot(e, 2)).toBe(false);
    expect((await runs.close({ executionId: c, status: 'CANCELLED' })).wake).toEqual([`pipeline-${e}`]);
    expect(await runs.acquireSlot(e, 2)).toBe(true);
  });

  test('A run, when it is closed by racing calls, is closed by the first one only', async () => {
    const { runs } = subject.store;
    const { executionId, pipelineName } = await submittedRun(subject.store);
    const result = { status: 'COMPLETED' as const, rowsProcessed: 3, durationMs: 10, outputs: { z: { rows: 3 } } };
    const calls = Array.from({ length: 6 }, (_, n) =>
      n === 0
        ? runs.close({ executionId, status: 'COMPLETED', result, rowsProcessed: 3, bytesProcessed: 2 ** 40 })
        : runs.close({ executionId, status: 'TERMINATED', reason: 'raced' }),
    );
    const closed = await Promise.all(calls);
    expect(closed.filter(({ first }) => first)).toHaveLength(1);
    expect(new Set(closed.map((each) => each.pipelineName))).toEqual(new Set([pipelineName]));
    const row = await runs.get(executionId);
    expect(row.status).toBe(closed[0]?.first ? 'COMPLETED' : 'TERMINATED');
    if (closed[0]?.first) expect(row).toMatchObject({ result, rowsProcessed: 3, bytesProcessed: 2 ** 40 });
    expect(row.finishedAt).toBeInstanceOf(Date);
    const strange = await submittedRun(subject.store);
    await runs.close({ executionId: strange.executionId, status: 'FAILED', reason: 'a\0b\ud800' });
    expect((await runs.get(strange.executionId)).reason).toBe('a\u{fffd}b\u{fffd}');
    await expect(runs.close({ executionId: 'nobody', status: 'FAILED' })).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  test('Watermarks, when runs complete, move forward only, unless the run started where they stand', async () => {
    const { runs, watermarks } = subject.store;
    const pipeline = await subject.store.pipelines.create(newPipeline());
    const complete = async (from: string | null, value: string, status: 'COMPLETED' | 'FAILED' = 'COMPLETED') => {
      const { executionId } = await submittedRun(subject.store, {}, pipeline);
      await runs.close({ executionId, status, watermarks: [{ column: 'id', source: 'zebra', from, value }] });
      return (await watermarks.get(pipeline.pipelineId, 'zebra'))?.value;
    };
    expect(await complete(null, '5', 'FAILED')).toBeUndefined();
    expect(await complete(null, '9')).toBe('9');
    expect(await complete('9', '10')).toBe('10');
    expect(await complete('9', '9.5')).toBe('10');
    expect(await complete(null, '31')).toBe('31');
    // Now another column is read, whose values compare otherwise.
    expect(await complete('31', '2026-01-02T00:00:00Z')).toBe('2026-01-02T00:00:00Z');
    expect(await complete('31', '2026-01-01T00:00:00Z')).toBe('2026-01-02T00:00:00Z');
    expect(await watermarks.get(pipeline.pipelineId, 'ant')).toBeUndefined();
  });

  test('The list of runs, when it is filtered, has those that match', async () => {
    const { runs } = subject.store;
    const tenant = randomUUID();
    const pipeline = await subject.store.pipelines.create(newPipeline({ tenant, tags: ['a', 'b'] }));
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) {
      const trigger = n === 0 ? 'schedule' : 'manual';
      ids.push((await submittedRun(subject.store, { submittedAt: at(n), trigger }, pipeline)).executionId);
    }
    await runs.close({ executionId: ids[3] ?? '', status: 'FAILED' });
    const list = async (filters: Parameters<typeof runs.list>[1]) =>
      (await runs.list(tenant, filters, FIRST_PAGE)).items.map(({ executionId }) => ids.indexOf(executionId));
    expect(await list({})).toEqual([3, 2, 1, 0]);
    expect(await list({ status: 'RUNNING' })).toEqual([2, 1, 0]);
    expect(await list({ trigger: 'schedule' })).toEqual([0]);
    expect(await list({ from: at(1), to: at(3) })).toEqual([2, 1]);
    expect(await list({ tag: 'b' })).toEqual([3, 2, 1, 0]);
    expect(await list({ tag: 'c' })).toEqual([]);
    expect(await list({ pipeline: pipeline.name, status: 'FAILED' })).toEqual([3]);
    expect(await list({ pipeline: pipeline.pipelineId, tag: 'a', trigger: 'manual', from: at(2) })).toEqual([3, 2]);
    expect(await runs.list(tenant, {}, { page: 1, size: 3 })).toMatchObject({ total: 4, items: [{}] });
    expect((await runs.list(randomUUID(), {}, FIRST_PAGE)).total).toBe(0);
  });

  test('A run, when Temporal has its workflow, is not undelivered any more', async () => {
    const { runs } = subject.store;
    const { executionId } = await submittedRun(subject.store, { submittedAt: new Date(Date.UTC(2020, 0)) });
    const undelivered = async (before: Date) =>
      (await runs.undelivered(before)).some((run) => run.executionId === executionId);
    expect(await undelivered(new Date(Date.UTC(2019, 0)))).toBe(false);
    expect(await undelivered(new Date())).toBe(true);
    const startedAt = new Date(Date.UTC(2020, 1));
    await runs.markStarted(executionId, 'run-1', startedAt);
    await runs.markStarted(executionId, 'run-1');
    expect(await runs.get(executionId)).toMatchObject({ runId: 'run-1', startedAt });
    expect(await undelivered(new Date())).toBe(false);
  });

  test('The open runs, when they are gone through in portions, come each once', async () => {
    const { runs } = subject.store;
    const open = (await submittedRun(subject.store)).executionId;
    const closed = (await submittedRun(subject.store)).executionId;
    await runs.close({ executionId: closed, status: 'CANCELLED' });
    const seen: string[] = [];
    for (let last = ''; ; last = seen.at(-1) ?? '') {
      const portion = await runs.open(3, last);
      if (portion.length === 0) break;
      seen.push(...portion.map(({ executionId }) => executionId));
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => id === open)).toHaveLength(1);
    expect(seen).not.toContain(closed);
  });

  test('A run, when it may have loaded rows of an incremental source and did not complete, is not forgotten', async () => {
    const { runs, steps } = subject.store;
    const { executionId, tenant } = await submittedRun(subject.store);
    await steps.plan(executionId, [
      { step: 'extract:a', activity: 'extract_data' },
      { step: 'load:b', activity: 'load_to_iceberg' },
    ]);
    const watermark = { source: 'a', column: 'id', from: null, value: '7' };
    const attempt = { executionId, attemptToken: randomUUID() };
    await steps.started({ ...attempt, step: 'extract:a', activity: 'extract_data' });
    await steps.finished({ ...attempt, step: 'extract:a', status: 'COMPLETED', result: { watermark } });
    await steps.started({ ...attempt, step: 'load:b', activity: 'load_to_iceberg' });
    await runs.close({ executionId, status: 'FAILED', finishedAt: new Date(Date.UTC(2020, 0)) });
    expect(await runs.expire(new Date(Date.UTC(2021, 0)))).toBe(0);
    expect(await runs.find(tenant, executionId)).toBeDefined();
  });

  test('A run, when it was closed longer ago than runs are kept, is forgotten with all its rows, but not by the audit', async () => {
    const { runs, steps, logs, quality, gates, audit } = subject.store;
    const tenant = randomUUID();
    const pipeline = await subject.store.pipelines.create(newPipeline({ tenant }));
    const old = (await submittedRun(subject.store, {}, pipeline)).executionId;
    const young = (await submittedRun(subject.store, {}, pipeline)).executionId;
    const open = (await submittedRun(subject.store, {}, pipeline)).executionId;
    for (const executionId of [old, young, open]) {
      await steps.plan(executionId, [{ step: 'quality', activity: 'validate_quality' }]);
      await logs.append(executionId, 'quality', 1, [{ at: new Date(), level: 'info', message: 'checked' }]);
      await quality.save(executionId, 0.5, { checks: [] });
      await gates.open({
        executionId,
        tenant,
        workflowId: `pipeline-${executionId}`,
        timeoutMs: 60_000,
        approvers: [],
      });
    }
    await audit.append({ tenant, actor: 'ada', action: 'run.start', subject: old, details: {}, requestId: 'r' });
    await runs.close({ executionId: old, status: 'FAILED', finishedAt: new Date(Date.UTC(2020, 0)) });
    await runs.close({ executionId: young, status: 'FAILED' });
    expect(await runs.expire(new Date(Date.UTC(2021, 0)))).toBe(1);
    expect(await runs.expire(new Date(Date.UTC(2021, 0)))).toBe(0);
    expect(await runs.find(tenant, old)).toBeUndefined();
    expect(await steps.list(old)).toEqual([]);
    expect(await logs.list(old, 'quality')).toEqual([]);
    expect(await quality.find(old)).toBeUndefined();
    expect(await gates.find(old)).toBeUndefined();
    expect(await gates.answerOf(old)).toBeUndefined();
    expect((await audit.list(tenant, FIRST_PAGE, { subject: old })).total).toBe(1);
    for (const executionId of [young, open]) {
      expect(await runs.find(tenant, executionId)).toBeDefined();
      expect(await logs.list(executionId, 'quality')).toHaveLength(1);
    }
  });
}
