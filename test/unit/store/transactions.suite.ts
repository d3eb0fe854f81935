import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { newPipeline, newRun, submittedRun } from './store-fixtures.ts';
import type { Subject } from './on-each-database.ts';

const FIRST_PAGE = { page: 0, size: 20 };

export function transactionsSuite(subject: Subject): void {
  const entry = (changes: object = {}) => ({
    tenant: 'default',
    actor: 'ada',
    action: 'pipeline.create',
    subject: 'pl_1',
    details: { zebra: 1, ant: 2 },
    requestId: 'r',
    ...changes,
  });

  test('The audit log, whoever tries, is not changed', async () => {
    const tenant = randomUUID();
    await subject.store.audit.append(entry({ tenant }));
    for (const change of [
      sql`update audit_log set actor = 'eve' where tenant = ${tenant}`,
      sql`delete from audit_log where tenant = ${tenant}`,
      sql`truncate audit_log`,
    ]) {
      await expect(subject.database.execute(change)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('append-only') as string },
      });
    }
    const { items, total } = await subject.store.audit.list(tenant, FIRST_PAGE);
    expect(total).toBe(1);
    expect(items).toMatchObject([entry({ tenant })]);
    expect(JSON.stringify(items[0]?.details)).toBe('{"zebra":1,"ant":2}');
  });

  test('The audit log, when it is listed, is the tenant’s own, newest first, by what was asked', async () => {
    const { audit } = subject.store;
    const tenant = randomUUID();
    await audit.append(entry({ tenant, subject: 'a' }), entry({ tenant, subject: 'b', actor: 'bob' }));
    await audit.append(entry({ tenant, subject: 'a', action: 'run.start' }));
    await audit.append();
    const list = async (filters: Parameters<typeof audit.list>[2]) =>
      (await audit.list(tenant, FIRST_PAGE, filters)).items.map((row) => [row.subject, row.action, row.actor]);
    expect(await list({})).toEqual([
      ['a', 'run.start', 'ada'],
      ['b', 'pipeline.create', 'bob'],
      ['a', 'pipeline.create', 'ada'],
    ]);
    expect(await list({ subject: 'a', action: 'pipeline.create' })).toEqual([['a', 'pipeline.create', 'ada']]);
    expect(await list({ actor: 'bob' })).toHaveLength(1);
    expect(await audit.list(tenant, { page: 1, size: 2 })).toMatchObject({ total: 3, items: [{ subject: 'a' }] });
    expect((await audit.list(randomUUID(), FIRST_PAGE)).total).toBe(0);
  });

  test('A transaction, when its work fails, leaves nothing behind; when it succeeds, all of it', async () => {
    const tenant = randomUUID();
    const created = newPipeline({ tenant });
    const change = (failure?: Error) =>
      subject.store.transaction(async ({ pipelines, audit, runs }) => {
        const pipeline = await pipelines.create(created);
        await audit.append(entry({ tenant, subject: pipeline.pipelineId }));
        await runs.insert(newRun(pipeline));
        if (failure) throw failure;
        return pipeline;
      });
    const failure = new Error('on purpose');
    await expect(change(failure)).rejects.toBe(failure);
    expect((await subject.store.pipelines.list(tenant, FIRST_PAGE)).total).toBe(0);
    expect((await subject.store.audit.list(tenant, FIRST_PAGE)).total).toBe(0);
    const pipeline = await change();
    expect((await subject.store.runs.list(tenant, {}, FIRST_PAGE)).total).toBe(1);
    expect((await subject.store.audit.list(tenant, FIRST_PAGE)).items).toMatchObject([
      { subject: pipeline.pipelineId },
    ]);
  });

  test('A transaction, when something within it is refused and caught, goes on', async () => {
    const tenant = randomUUID();
    const taken = await subject.store.pipelines.create(newPipeline({ tenant }));
    await subject.store.transaction(async ({ pipelines, audit }) => {
      await expect(pipelines.create(newPipeline({ tenant, name: taken.name }))).rejects.toMatchObject({
        code: 'CONFLICT',
      });
      await audit.append(entry({ tenant }));
    });
    expect((await subject.store.audit.list(tenant, FIRST_PAGE)).total).toBe(1);
  });

  test('The store, when it is used within its own transaction, refuses instead of waiting for itself', async () => {
    const within = subject.store.transaction(() => subject.store.pipelines.find('default', 'x'));
    await expect(within).rejects.toThrow('within a transaction');
    await subject.store.ping();
  });

  test('A run, when it could not be started, is forgotten; one that Temporal has is not', async () => {
    const { runs, steps } = subject.store;
    const never = await submittedRun(subject.store);
    await steps.plan(never.executionId, [{ step: 'gate', activity: 'wait_for_approval' }]);
    expect(await runs.abandon(never.executionId)).toBe(true);
    expect(await runs.find('default', never.executionId)).toBeUndefined();
    expect(await steps.list(never.executionId)).toEqual([]);
    expect(await runs.markStarted(never.executionId, 'run-1')).toBe(false);
    const started = await submittedRun(subject.store);
    expect(await runs.markStarted(started.executionId, 'run-1')).toBe(true);
    expect(await runs.abandon(started.executionId)).toBe(false);
  });

  test('A retry, when a run of its root has completed, is refused, also while that one is just being closed', async () => {
    const { runs } = subject.store;
    for (let round = 0; round < 5; round++) {
      const pipeline = await subject.store.pipelines.create(newPipeline());
      const root = await submittedRun(subject.store, {}, pipeline);
      const chain = { rootExecutionId: root.executionId, retryOf: root.executionId };
      const [closed, retried] = await Promise.allSettled([
        runs.close({ executionId: root.executionId, status: 'COMPLETED' }),
        runs.insert(newRun(pipeline, chain)),
      ]);
      expect(closed.status).toBe('fulfilled');
      expect(retried).toMatchObject({ status: 'rejected', reason: { code: 'CONFLICT' } });
      expect(await runs.completedOfRoot(root.executionId)).toBe(root.executionId);
      expect(await runs.ofRoot(root.executionId)).toHaveLength(1);
    }
  });
}
