/**
 * `SchemaMigrationWorkflow`: the properties of a saga, on a real Temporal server, with the real activities and a real store.
 * The tables are stand-ins that only remember; what real ones do is in `test/e2e/migration.test.ts`.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcileMigrations } from '../../src/pipelines/reconcile-migrations.ts';
import { broken, type TableCall, type TableVerb, workerShutDown } from '../support/fake-tables.ts';
import { ACTOR, type MigrationBench, migrationBench, threeTables } from '../support/migration-workflow.ts';
import { testTemporal } from '../support/temporal.ts';

let bench: MigrationBench;
beforeAll(async () => {
  bench = await migrationBench(await testTemporal());
}, 60_000);
afterAll(() => bench[Symbol.asyncDispose]());

const gated = () => threeTables({ requires_approval: true });
const approve = (workflowId: string, approved: boolean) =>
  bench.migrations.signal(ACTOR, workflowId, { name: 'approval', data: { approved } }, randomUUID());
const cancel = (workflowId: string) =>
  bench.migrations.signal(ACTOR, workflowId, { name: 'cancellation', data: { reason: 'enough' } }, randomUUID());
const atGate = (id: string) => bench.until(id, ({ steps }) => steps.some(isOpenGate));
const isOpenGate = ({ step, status }: { step: string; status: string }) => step === 'gate' && status === 'RUNNING';

/** The workflow has seen the signal that came last, and waits again. */
async function looked(workflowId: string): Promise<void> {
  for (;;) {
    const { events = [] } = await bench.client.workflow.getHandle(workflowId).fetchHistory();
    const signalled = events?.findLastIndex((event) => event.workflowExecutionSignaledEventAttributes != null) ?? -1;
    if (events?.slice(signalled).some((event) => event.timerStartedEventAttributes != null)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function counted(outcome: 'started' | 'completed' | 'failed' | 'cancelled'): Promise<number> {
  const text = await bench.metrics.registry.metrics();
  const line = new RegExp(`temporal_workflow_${outcome}_total\\{workflow_type="SchemaMigrationWorkflow"\\} (\\d+)`);
  return Number(line.exec(text)?.[1]);
}

test('a migration, when nothing fails, backs up all, applies all in order, verifies all and keeps no backup', async () => {
  const before = [await counted('started'), await counted('completed')];
  const ended = await bench.ended(await bench.start());
  expect(ended).toMatchObject({ status: 'COMPLETED', round: 1, result: { status: 'COMPLETED' } });
  const { calls, changed, backups } = bench.tables;
  expect(calls.slice(0, 3).toSorted()).toEqual(['validate 0', 'validate 1', 'validate 2']);
  expect(calls.slice(3, 9)).toEqual(['backUp 0', 'backUp 1', 'backUp 2', 'apply 0', 'apply 1', 'apply 2']);
  expect(calls.slice(9, 12).toSorted()).toEqual(['verify 0', 'verify 1', 'verify 2']);
  expect(calls.slice(12)).toEqual(['release 0', 'release 1', 'release 2']);
  expect([...changed, ...backups]).toEqual([0, 1, 2]);
  expect(ended.steps.map(({ step, status }) => `${step} ${status}`)).toEqual(
    ['validate', 'backup', 'apply', 'verify', 'release'].flatMap((verb) =>
      ['lake.one', 'lake.two', 'three'].map((table) => `${verb}:${table} COMPLETED`),
    ),
  );
  expect(bench.told).toMatchObject([{ severity: 'INFO', title: 'migration three-tables completed' }]);
  expect([await counted('started'), await counted('completed')]).toEqual(before.map((count) => count + 1));
});

const everyStep = (['validate', 'backUp', 'apply', 'verify'] as const).flatMap((verb: TableVerb) =>
  [0, 1, 2].flatMap((position): [TableCall, 'before' | 'after'][] => [
    [`${verb} ${position}`, 'before'],
    // What only looks has no effect that a failure could come after.
    ...(['backUp', 'apply'].includes(verb) ? [[`${verb} ${position}`, 'after'] as [TableCall, 'after']] : []),
  ]),
);
test.each(everyStep)('a migration, when %s fails %s its effect, is rolled back', async (call, when) => {
  const [verb, at] = call.split(' ') as [TableVerb, string];
  const id = await bench.start();
  bench.tables.fail(call, broken, { when, times: 1 });
  const ended = await bench.ended(id);
  expect(ended.status).toBe('ROLLED_BACK');
  expect(ended.reason).toContain('the table is broken');
  expect([...bench.tables.changed, ...bench.tables.backups]).toEqual([]);
  const applied = verb === 'apply' ? Number(at) + 1 : verb === 'verify' ? 3 : 0;
  expect(bench.tables.of('restore')).toEqual([2, 1, 0].slice(3 - applied));
  expect(bench.told.at(-1)).toMatchObject({ severity: 'ERROR', title: 'migration three-tables was rolled back' });
});

test('every table, when several cannot be changed, is told of in the reason', async () => {
  const id = await bench.start();
  for (const position of [0, 2]) bench.tables.fail(`validate ${position}`);
  expect((await bench.ended(id)).reason).toBe('lake.one: the table is broken; three: the table is broken');
});

test('workers, when they are lost more often than a step has attempts, fail no step, whether it goes forth or back', async () => {
  const id = await bench.start();
  bench.tables.fail('apply 0', workerShutDown, { when: 'after', times: 6 });
  bench.tables.fail('restore 0', workerShutDown, { when: 'after', times: 3 });
  bench.tables.fail('apply 1');
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'ROLLED_BACK', reason: 'the table is broken' });
  // It was put back four times: the second to the fourth found it so.
  expect(bench.tables.of('apply')).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  expect(bench.tables.of('restore')).toEqual([1, 0, 0, 0, 0]);
  expect([...bench.tables.changed, ...bench.tables.backups]).toEqual([]);
});

test.each(['signal', 'Temporal'] as const)(
  'a migration, when it is cancelled midway by %s, puts back what it changed',
  async (by) => {
    const cancelledBefore = await counted('cancelled');
    const id = await bench.start();
    const { reached } = bench.tables.hang('apply 1');
    await reached;
    const { workflowId } = await bench.migrations.get(ACTOR, id);
    await (by === 'signal' ? cancel(workflowId) : bench.client.workflow.getHandle(workflowId).cancel());
    const ended = await bench.ended(id);
    expect(ended).toMatchObject({ status: 'CANCELLED', reason: by === 'signal' ? 'enough' : 'Cancelled' });
    expect(bench.tables.of('restore')).toEqual([1, 0]);
    expect([...bench.tables.changed, ...bench.tables.backups]).toEqual([]);
    const { status } = await bench.client.workflow.getHandle(workflowId).describe();
    expect(status.name).toBe(by === 'signal' ? 'COMPLETED' : 'CANCELLED');
    expect(await counted('cancelled')).toBe(cancelledBefore + 1);
  },
);

test('a migration, when all is verified, is COMPLETED though it is cancelled or a backup cannot be released', async () => {
  const id = await bench.start();
  const { reached, goOn } = bench.tables.hang('release 0');
  bench.tables.fail('release 1');
  await reached;
  const { workflowId } = await bench.migrations.get(ACTOR, id);
  await expect(cancel(workflowId)).rejects.toMatchObject({ code: 'CONFLICT' });
  await bench.client.workflow.getHandle(workflowId).cancel();
  goOn();
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'COMPLETED', result: { notes: [expect.stringContaining('lake.two')] } });
  expect([...bench.tables.changed]).toEqual([0, 1, 2]);
  expect(bench.tables.of('restore')).toEqual([]);
});

test('a table, when it cannot be put back, keeps no other from it; the rest is told, loudly, and can be retried', async () => {
  const id = await bench.start();
  bench.tables.fail('verify 2');
  bench.tables.fail('restore 1');
  const failed = await bench.ended(id);
  expect(failed).toMatchObject({
    status: 'FAILED',
    reason: 'three: the table is broken; not put back: lake.two',
    result: { leftToDo: [{ target: 'lake.two', position: 1, what: 'the table is broken' }] },
  });
  expect([...bench.tables.changed]).toEqual([1]);
  expect([...bench.tables.backups]).toEqual([1]);
  expect(bench.told).toMatchObject([{ severity: 'CRITICAL', facts: { reason: failed.reason } }]);
  await expect(bench.client.workflow.result(failed.workflowId)).rejects.toThrow();

  // Nobody mended it: the same again.
  const failedBefore = await counted('failed');
  await bench.migrations.retry(ACTOR, id, randomUUID());
  expect(await bench.ended(id)).toMatchObject({ status: 'FAILED', reason: failed.reason });
  expect(await counted('failed')).toBe(failedBefore + 1);

  bench.tables.mend('restore 1');
  const request = randomUUID();
  await bench.migrations.retry(ACTOR, id, request);
  await bench.migrations.retry(ACTOR, id, request);
  const restored = await bench.ended(id);
  expect(restored).toMatchObject({ status: 'ROLLED_BACK', reason: 'three: the table is broken', round: 1 });
  expect([...bench.tables.changed, ...bench.tables.backups]).toEqual([]);
  expect(bench.tables.of('apply')).toEqual([0, 1, 2]);

  // All of it anew, now that the third table can be changed.
  bench.tables.mend('verify 2');
  await bench.migrations.retry(ACTOR, id, randomUUID());
  expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED', round: 2 });
  expect([...bench.tables.changed]).toEqual([0, 1, 2]);
  await expect(bench.migrations.retry(ACTOR, id, randomUUID())).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('the gate, when a person says yes, lets the migration go on; the second answer is refused', async () => {
  const id = await bench.start(gated());
  const { workflowId, validation } = await atGate(id);
  expect(validation[0]).toMatchObject({ table: 'lake.one', rows: 3, touched: ['a'], warnings: ['mind the gap'] });
  const status = await bench.migrations.status(ACTOR, workflowId);
  expect(status).toMatchObject({
    status: 'RUNNING',
    currentActivity: 'wait_for_approval',
    pendingSignals: ['approval'],
  });
  await expect(bench.migrations.retry(ACTOR, id, randomUUID())).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(
    bench.migrations.signal(ACTOR, workflowId, { name: 'pause', data: {} }, randomUUID()),
  ).rejects.toMatchObject({ code: 'CONFLICT' });
  // A signal past the API is no answer.
  await bench.client.workflow.getHandle(workflowId).signal('approval', { approved: true });
  await looked(workflowId);
  expect(bench.tables.of('backUp')).toEqual([]);
  await approve(workflowId, true);
  await expect(approve(workflowId, false)).rejects.toMatchObject({ code: 'CONFLICT' });
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'COMPLETED', result: { notes: [expect.stringContaining('ignored')] } });
  expect(bench.told.map(({ severity }) => severity)).toEqual(['WARNING', 'INFO']);
});

test('the gate, when a person says no, cancels; a retry asks again, and the old answer does not count', async () => {
  const id = await bench.start(gated());
  const { workflowId } = await atGate(id);
  await approve(workflowId, false);
  const ended = await bench.ended(id);
  expect(ended).toMatchObject({ status: 'CANCELLED', reason: 'Rejected by local' });
  expect(bench.tables.of('backUp')).toEqual([]);
  await bench.migrations.retry(ACTOR, id, randomUUID());
  await atGate(id);
  await cancel(workflowId);
  expect(await bench.ended(id)).toMatchObject({ status: 'CANCELLED', reason: 'enough', round: 2 });
  await expect(approve(workflowId, true)).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a table, when its migration is at work, cannot be changed by another one; a dry run may look at it', async () => {
  const id = await bench.start(gated());
  const { workflowId } = await atGate(id);
  await expect(bench.migrations.start(ACTOR, threeTables(), randomUUID())).rejects.toMatchObject({ code: 'CONFLICT' });
  bench.tables.fail('validate 1', () => new Error('changes.0: there is no column a'));
  const preview = await bench.migrations.preview(ACTOR, threeTables(), randomUUID());
  expect(preview).toMatchObject({
    valid: false,
    errors: [{ path: 'targets.1.changes.0', message: 'there is no column a' }],
    targets: [{ table: 'lake.one' }, { table: 'three' }],
  });
  expect((await bench.migrations.list(ACTOR, { page: 0, size: 1 })).items[0]?.migrationId).toBe(id);
  await cancel(workflowId);
  await bench.ended(id);
});

test('a workflow, when it is terminated midway, leaves a migration whose retry puts everything back', async () => {
  const id = await bench.start();
  const { reached } = bench.tables.hang('apply 1');
  await reached;
  const { workflowId } = await bench.migrations.get(ACTOR, id);
  await bench.client.workflow.getHandle(workflowId).terminate('by hand');
  const dependencies = { ...bench, migrationWaker: bench.waker };
  await reconcileMigrations(dependencies, new Date(Date.now() + 1000));
  expect(await bench.ended(id)).toMatchObject({ status: 'TERMINATED' });
  await bench.migrations.retry(ACTOR, id, randomUUID());
  expect(await bench.ended(id)).toMatchObject({ status: 'ROLLED_BACK' });
  expect(bench.tables.of('restore')).toEqual([1, 0]);
  expect([...bench.tables.changed, ...bench.tables.backups]).toEqual([]);
});

test('a migration, when it was recorded and nobody started it, is started by the reconciler', async () => {
  const id = randomUUID();
  bench.tables.reset();
  const away = { ...bench.waker, wake: () => Promise.reject(new Error('killed here')) };
  const { Migrations } = await import('../../src/pipelines/migrations.ts');
  const dying = new Migrations({
    ...bench,
    waker: away,
    store: { ...bench.store, migrations: { ...bench.store.migrations, abandon: () => Promise.resolve(false) } },
  });
  await dying.start(ACTOR, threeTables(), id);
  expect((await bench.migrations.get(ACTOR, id)).startedAt).toBeUndefined();
  await reconcileMigrations({ ...bench, migrationWaker: bench.waker }, new Date(Date.now() + 1000));
  expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED' });
});
