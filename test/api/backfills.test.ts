/** What a backfill may be asked, and what is refused with the path of the fault. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
const partitioning = { column: 'day', size: 'day', timezone: 'Europe/Berlin' };

function document(name: string, changes: Record<string, unknown>) {
  const whole = birds({ name });
  return { ...whole, definition: { ...(whole['definition'] as object), ...changes } };
}
beforeAll(async () => {
  api = await startApi();
  const file = (path: string) => ({ sinks: { out: { type: 'file', from: 'by_day', path, format: 'csv' } } });
  for (const json of [
    document('whole', {}),
    document('daily', { partitioning }),
    document('one-file', { partitioning, ...file('out.csv') }),
    document('files', { partitioning, ...file('out/${interval_start}.csv') }),
    { ...document('asking', { partitioning }), parameters: { region: { type: 'enum', values: ['north', 'south'] } } },
  ]) {
    expect((await api.call('POST', '/v1/pipelines', { json })).status).toBe(201);
  }
});
afterAll(() => api.close());

const ask = (name: string, json: object) => api.call('POST', `/v1/pipelines/${name}/backfills`, { json });
const march = { start: '2001-03-24', end: '2001-03-27' };

test('a dry run, when clocks change in its range, lists days by the clock of the zone', async () => {
  const { status, body } = await ask('daily', { ...march, dryRun: true, order: 'descending' });
  expect(status).toBe(200);
  expect(body).toEqual({
    partitions: 3,
    toRun: 3,
    toSkip: 0,
    data: [
      { start: '2001-03-26T00:00:00+02:00', end: '2001-03-27T00:00:00+02:00', action: 'RUN' },
      { start: '2001-03-25T00:00:00+01:00', end: '2001-03-26T00:00:00+02:00', action: 'RUN' },
      { start: '2001-03-24T00:00:00+01:00', end: '2001-03-25T00:00:00+01:00', action: 'RUN' },
    ],
  });
});

test.each([
  ['the pipeline has no partitioning', 'whole', march, 'definition.partitioning'],
  ['a file sink would be overwritten by each partition', 'one-file', march, 'definition.sinks.out.path'],
  ['the range is empty', 'daily', { start: '2001-03-24', end: '2001-03-24' }, 'end'],
  ['it has too many partitions', 'daily', { start: '1900-01-01', end: '2001-01-01', size: 'hour' }, 'end'],
  ['a time has no offset', 'daily', { start: '2001-03-24T00:00:00', end: '2001-03-27' }, 'start'],
  ['a parameter without a default is missing', 'asking', march, 'parameters.region'],
  ['a parameter has a wrong value', 'asking', { ...march, parameters: { region: 'west' } }, 'parameters.region'],
  ['a parameter is not declared', 'daily', { ...march, parameters: { region: 'north' } }, 'parameters.region'],
  ['the concurrency is none', 'daily', { ...march, concurrency: 0 }, 'concurrency'],
])('a backfill, when %s, is 400 and names where', async (_, name, body, path) => {
  const { status, body: answer } = await ask(name, body);
  expect(status).toBe(400);
  expect(answer).toMatchObject({ error: { code: 'VALIDATION_FAILED', details: [{ path }] } });
});

test('a backfill, when it was started, shows its partitions; told what it cannot do, it is 409, unknown 404', async () => {
  const started = await ask('files', march);
  expect(started.status).toBe(202);
  expect(started.body).toMatchObject({ partitions: 3 });
  const { backfillId } = started.body as { backfillId: string };
  const found = await api.call('GET', `/v1/backfills/${backfillId}`);
  expect(found.body).toMatchObject({
    status: 'RUNNING',
    progress: 0,
    counts: { PENDING: 3 },
    rate: null,
    estimate: null,
  });
  const asked = await api.call('GET', `/v1/backfills/${backfillId}?cells=2`);
  expect(asked.body).toMatchObject({ grid: ['PENDING', 'PENDING'] });
  expect((await api.call('GET', `/v1/backfills/${backfillId}?cells=many`)).status).toBe(400);
  expect((await api.call('POST', `/v1/backfills/${backfillId}/retry`)).status).toBe(409);
  expect((await api.call('POST', `/v1/backfills/${backfillId}/cancel`)).status).toBe(202);
  expect((await api.call('POST', `/v1/backfills/${backfillId}/pause`)).status).toBe(409);
  expect((await api.call('GET', '/v1/backfills/nothing')).status).toBe(404);
});

test('a backfill, when it is given a parameter, keeps it', async () => {
  const started = await ask('asking', { ...march, parameters: { region: 'south' } });
  expect(started.status).toBe(202);
  const { backfillId } = started.body as { backfillId: string };
  const found = await api.call('GET', `/v1/backfills/${backfillId}`);
  expect(found.body).toMatchObject({ parameters: { region: 'south' } });
});

test('a backfill, when its workflow is asked and told, answers as a run does, and has no gate', async () => {
  const { body } = await ask('files', { start: '2001-04-01', end: '2001-04-05' });
  const { backfillId, workflowId } = body as { backfillId: string; workflowId: string };
  const row = await api.store.backfills.get(backfillId);
  const [first = [], second = []] = [4, 5].map((day) => [Date.UTC(2001, 3, day - 3), Date.UTC(2001, 3, day - 2)]);
  const partitions = [first, second].map(([startMs = 0, endMs = 0], position) => ({ position, startMs, endMs }));
  await api.store.partitions.plan(backfillId, partitions);
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await api.store.partitions.begin({ backfillId, position: 0, round: row.round });
  }
  const path = `/v1/pipelines/workflows/${workflowId}`;
  expect((await api.call('GET', `${path}/status`)).body).toMatchObject({
    workflowId,
    status: 'RUNNING',
    currentActivity: 'process_partition',
    progress: 0,
    activities: [{ name: 'process_partition', step: 'partition:2001-04-01T00:00:00.000Z', attempt: 2 }],
    retries: 1,
    pendingSignals: [],
    paused: false,
  });
  const tell = (name: string, data = {}) => api.call('POST', `${path}/signal`, { json: { name, data } });
  expect((await tell('approval', { approved: true })).status).toBe(409);
  expect((await tell('pause')).status).toBe(202);
  expect((await api.call('GET', `${path}/status`)).body).toMatchObject({ paused: true });
  expect((await tell('cancellation')).status).toBe(202);
  expect((await tell('resume')).status).toBe(409);
  expect((await api.call('GET', `/v1/pipelines/workflows/backfill-${crypto.randomUUID()}/status`)).status).toBe(404);
});
