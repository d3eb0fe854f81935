/** The gate's corners, each with its one outcome, on the whole service; Temporal, registry, DuckDB and Iceberg are real. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tableState } from '../../scripts/read-table.ts';
import { Service } from '../support/service.ts';

let service: Service;
let names = 0;

beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
  await writeFile(join(service.folder, 'input.csv'), 'n,name\n1,a\n2,\n3,c\n');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** A pipeline whose data is not good enough, with a table of its own. */
async function needingApproval(timeout = '1h'): Promise<{ table: string; workflowId: string; executionId: string }> {
  names += 1;
  const table = `gate.t${names}`;
  const pipelineId = await service.register({
    name: `gate-${names}`,
    version: '1',
    definition: {
      sources: { people: { type: 'file', path: join(service.folder, 'input.csv'), format: 'csv' } },
      quality_checks: {
        min_score: 1,
        approval: { timeout },
        checks: [{ source: 'people', type: 'not_null', columns: ['name'] }],
      },
      sinks: { out: { type: 'iceberg', from: 'people', table } },
    },
  });
  return { table, ...(await service.execute(pipelineId)) };
}

const answer = (workflowId: string, approved: boolean, comment?: string) =>
  service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, {
    name: 'approval',
    data: { approved, ...(comment !== undefined && { comment }) },
  });
const signal = (workflowId: string, name: string, data = {}) =>
  service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, { name, data });
const tableExists = async (table: string) => (await tableState(service.dataDir, table)) !== undefined;

test('an approval, when the gate waits, loads the rows; who said it stands in the audit log', async () => {
  const { workflowId, executionId, table } = await needingApproval();
  const waiting = await service.atGate(workflowId);
  expect(waiting).toMatchObject({ status: 'RUNNING', currentActivity: 'wait_for_approval' });
  const pending = await service.call('GET', '/v1/approvals');
  expect(pending.body['data']).toMatchObject([{ executionId, quality: { score: 0 } }]);

  expect((await answer(workflowId, true, 'fine')).status).toBe(202);
  expect(await service.ended(workflowId)).toMatchObject({ status: 'COMPLETED', progress: 1 });
  expect(await tableState(service.dataDir, table)).toMatchObject({ snapshots: 1 });
  const audit = await service.call('GET', `/v1/audit?subject=${executionId}`);
  expect(audit.body['data']).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ action: 'run.approval', actor: 'local', details: { approved: true, comment: 'fine' } }),
    ]),
  );
});

test('two answers, when they come at once, have one winner', async () => {
  const { workflowId } = await needingApproval();
  await service.atGate(workflowId);
  const answers = await Promise.all([true, false, true, false].map((approved) => answer(workflowId, approved)));
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
  const winner = answers.findIndex(({ status }) => status === 202) % 2 === 0;
  expect((await service.ended(workflowId)).status).toBe(winner ? 'COMPLETED' : 'CANCELLED');
});

test('an answer, when there is no report yet, is refused', async () => {
  const { workflowId } = await needingApproval();
  const early = await answer(workflowId, true);
  // A run this small may have reached its gate by now; then the answer was a good one.
  if (early.status === 202) return;
  expect(early).toMatchObject({ status: 409, body: { error: { code: 'CONFLICT' } } });
  await service.atGate(workflowId);
  expect((await answer(workflowId, false)).status).toBe(202);
});

test('silence, when the deadline passes, refuses, and an answer after it is too late', async () => {
  const { workflowId, table } = await needingApproval('1s');
  expect((await service.ended(workflowId)).result).toMatchObject({
    status: 'CANCELLED',
    reason: 'Quality below threshold',
  });
  expect(await answer(workflowId, true)).toMatchObject({ status: 409 });
  expect(await tableExists(table)).toBe(false);
});

test('a signal, when it goes to Temporal past the API, opens nothing', async () => {
  const { workflowId, table } = await needingApproval('4s');
  await service.atGate(workflowId);
  await service.withTemporal((client) =>
    client.workflow.getHandle(workflowId).signal('approval', { approved: true, answerId: 'forged' }),
  );
  const ended = await service.ended(workflowId);
  expect(ended).toMatchObject({ status: 'CANCELLED' });
  expect(ended.notes?.[0]).toMatch(/ignored/);
  expect(await tableExists(table)).toBe(false);
});

test('a cancellation, when the run waits at the gate, ends it, and no answer counts after that', async () => {
  const { workflowId, table } = await needingApproval();
  await service.atGate(workflowId);
  expect((await signal(workflowId, 'cancellation', { reason: 'not today' })).status).toBe(202);
  expect((await service.ended(workflowId)).result).toMatchObject({ status: 'CANCELLED', reason: 'not today' });
  expect((await answer(workflowId, true)).status).toBe(409);
  expect(await tableExists(table)).toBe(false);
});

test('a pause, when the run waits at the gate, lets an answer in but nothing start until it is resumed', async () => {
  const { workflowId, table } = await needingApproval();
  await service.atGate(workflowId);
  expect((await signal(workflowId, 'pause')).status).toBe(202);
  expect((await answer(workflowId, true)).status).toBe(202);
  await service.until(workflowId, ({ pendingSignals }) => pendingSignals.length === 0);
  expect(await service.api.status(workflowId)).toMatchObject({
    status: 'RUNNING',
    paused: true,
    currentActivity: null,
  });
  expect(await tableExists(table)).toBe(false);
  expect((await signal(workflowId, 'resume')).status).toBe(202);
  expect((await service.ended(workflowId)).status).toBe('COMPLETED');
});

test('an answer, when everything is killed right after it was accepted, still counts', async () => {
  const { workflowId, table } = await needingApproval();
  await service.atGate(workflowId);
  expect((await answer(workflowId, true)).status).toBe(202);
  await service.kill('everything');
  await service.start();
  expect((await service.ended(workflowId)).status).toBe('COMPLETED');
  expect(await tableState(service.dataDir, table)).toMatchObject({ snapshots: 1 });
}, 400_000);

test('an answer, when no worker is up, is accepted once and counts when one is; status tells what was known', async () => {
  const { workflowId } = await needingApproval();
  await service.atGate(workflowId);
  await service.stop();
  await service.start({ HEARTBEAT_TIMEOUT: '3s', TASK_QUEUES: 'control' });
  const status = await service.api.status(workflowId);
  expect(status).toMatchObject({
    status: 'RUNNING',
    currentActivity: 'wait_for_approval',
    pendingSignals: ['approval'],
  });
  expect(status.asOf).toBeDefined();
  expect((await answer(workflowId, true)).status).toBe(202);
  expect((await answer(workflowId, false)).status).toBe(409);
  await service.stop();
  await service.start({ HEARTBEAT_TIMEOUT: '3s' });
  expect((await service.ended(workflowId)).status).toBe('COMPLETED');
}, 400_000);

test('the deadline, when it passes while no worker is up, refuses a later answer', async () => {
  const { workflowId, table } = await needingApproval('5s');
  await service.atGate(workflowId);
  await service.stop();
  await service.start({ HEARTBEAT_TIMEOUT: '3s', TASK_QUEUES: 'control' });
  await new Promise((resolve) => setTimeout(resolve, 5000));
  expect((await answer(workflowId, true)).status).toBe(409);
  await service.stop();
  await service.start({ HEARTBEAT_TIMEOUT: '3s' });
  expect((await service.ended(workflowId)).result).toMatchObject({ reason: 'Quality below threshold' });
  expect(await tableExists(table)).toBe(false);
}, 400_000);

test('a retry, when the run was rejected, asks again and reaches no sink before the new answer', async () => {
  const { workflowId, executionId, table } = await needingApproval();
  await service.atGate(workflowId);
  await answer(workflowId, false);
  expect((await service.ended(workflowId)).result).toMatchObject({ reason: 'Rejected by local' });

  const retry = (body: object) => service.call('POST', `/v1/pipelines/executions/${executionId}/retry`, body);
  expect((await retry({ fromStep: 'load:out' })).status).toBe(409);
  const retried = await retry({});
  expect(retried.status).toBe(202);
  const again = retried.body['workflowId'] as string;
  await service.atGate(again);
  expect(await tableExists(table)).toBe(false);
  expect((await retry({})).status).toBe(409);
  expect((await answer(again, true)).status).toBe(202);
  expect((await service.ended(again)).status).toBe('COMPLETED');
  expect(await tableState(service.dataDir, table)).toMatchObject({ snapshots: 1 });
  expect((await retry({})).status).toBe(409);
});
