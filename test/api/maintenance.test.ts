/** What the upkeep of a table may be asked, what is refused with the path of the fault, and that a table has one at a time. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const PATH = '/v1/maintenance/compactions';
const ask = (json: object, headers: Record<string, string> = {}) => api.call('POST', PATH, { json, headers });

test.each([
  ['the table has no namespace', { table: 'flights' }, 'table'],
  ['the table leads elsewhere', { table: 'a.../b' }, 'table'],
  ['the engine is none of the two', { table: 'a.b', engine: 'trino' }, 'engine'],
  ['Spark is not configured', { table: 'a.b', engine: 'spark' }, 'engine'],
  ['a key is unknown', { table: 'a.b', targetSize: 1 }, 'targetSize'],
  ['the size is tiny', { table: 'a.b', targetFileSizeBytes: 1000 }, 'targetFileSizeBytes'],
  ['one file is to be enough', { table: 'a.b', minInputFiles: 1 }, 'minInputFiles'],
  ['orphans may be young', { table: 'a.b', removeOrphanFiles: { olderThan: '71h' } }, 'removeOrphanFiles.olderThan'],
  ['nothing is retained', { table: 'a.b', expireSnapshots: { retainLast: 0 } }, 'expireSnapshots.retainLast'],
  ['an age is none', { table: 'a.b', expireSnapshots: { olderThan: 'old' } }, 'expireSnapshots.olderThan'],
  [
    'nothing is to be done',
    { table: 'a.b', rewriteDataFiles: false, expireSnapshots: false, removeOrphanFiles: false },
    'rewriteDataFiles',
  ],
])('a compaction, when %s, is 400 and names where', async (_, body, path) => {
  const { status, body: answer } = await ask(body);
  expect(status).toBe(400);
  expect(answer).toMatchObject({ error: { code: 'VALIDATION_FAILED', details: [{ path }] } });
});

test('a compaction, when it was started, is shown and listed, is one of its table, and can be told to end', async () => {
  const key = { 'x-idempotency-key': 'once' };
  const started = await ask({ table: 'lab.flights' }, key);
  expect(started.status).toBe(202);
  const { maintenanceId, workflowId } = started.body as { maintenanceId: string; workflowId: string };
  expect(workflowId).toBe(`maintenance-${maintenanceId}`);
  expect((await ask({ table: 'lab.flights' }, key)).body).toEqual(started.body);
  const second = await ask({ table: 'lab.flights' });
  expect(second.status).toBe(409);
  expect(second.body).toMatchObject({ error: { message: expect.stringContaining(maintenanceId) as string } });
  const other = await ask({ table: 'lab.other' });
  expect(other.status).toBe(202);
  const workflow = `/v1/pipelines/workflows/${(other.body as { workflowId: string }).workflowId}`;
  const tell = (name: string) => api.call('POST', `${workflow}/signal`, { json: { name, data: {} } });
  expect((await tell('pause')).status).toBe(409);
  expect((await tell('cancellation')).status).toBe(202);
  expect((await api.call('GET', `${workflow}/status`)).body).toMatchObject({
    status: 'RUNNING',
    currentActivity: null,
    progress: 0,
    activities: [],
    pendingSignals: [],
  });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await api.store.maintenance.beginStep((other.body as { maintenanceId: string }).maintenanceId, 'rewrite');
  }
  expect((await api.call('GET', `${workflow}/status`)).body).toMatchObject({
    currentActivity: 'compact_iceberg_table',
    activities: [{ step: 'rewrite', status: 'RUNNING' }],
    retries: 2,
  });

  const found = await api.call('GET', `${PATH}/${maintenanceId}`);
  expect(found.body).toMatchObject({
    table: 'lab.flights',
    engine: 'duckdb',
    status: 'RUNNING',
    steps: ['measure_before', 'rewrite', 'expire', 'orphans', 'measure_after'].map((step) => ({
      step,
      status: 'PENDING',
    })),
  });
  const listed = await api.call('GET', `${PATH}?table=lab.flights`);
  expect(listed.body).toMatchObject({ data: [{ maintenanceId }], pagination: { total: 1 } });

  expect((await api.call('POST', `${PATH}/${maintenanceId}/cancel`)).status).toBe(202);
  await api.store.maintenance.close(maintenanceId, { status: 'CANCELLED', reason: 'Cancelled' });
  expect((await api.call('POST', `${PATH}/${maintenanceId}/cancel`)).status).toBe(409);
  expect((await ask({ table: 'lab.flights' })).status).toBe(202);
  expect((await api.call('GET', `${PATH}/nothing`)).status).toBe(404);
  const { items } = await api.store.audit.list('default', { page: 0, size: 20 }, {});
  expect(items.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['maintenance.start', 'maintenance.cancel']),
  );
});
