import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { startedRun } from '../../src/schemas/api-run-answers.ts';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/pipelines', { json: birds() });
  await api.call('POST', '/v1/pipelines', { json: birds({ name: 'more-birds' }) });
});
afterAll(() => api.close());
beforeEach(() => {
  api.runs.starts = 0;
  api.runs.beforeStart = () => Promise.resolve();
});

const execute = (key: string, json: unknown = {}, path = '/v1/pipelines/birds/execute') =>
  api.call('POST', path, { json, headers: { 'x-idempotency-key': key } });

describe('an idempotency key', () => {
  test('when it comes again with the same body, gives the first answer and starts nothing', async () => {
    const first = await execute('again');
    const second = await execute('again');

    expect(first.status).toBe(202);
    expect(second.status).toBe(202);
    expect(second.body).toEqual(first.body);
    expect(first.headers.has('x-idempotency-replayed')).toBe(false);
    expect(second.headers.get('x-idempotency-replayed')).toBe('true');
    expect(api.runs.starts).toBe(1);
  });

  test('when it is sent to both names of the path, is one key', async () => {
    const first = await execute('both-names');
    const second = await execute('both-names', {}, '/pipelines/birds/execute');

    expect(second.body).toEqual(first.body);
    expect(api.runs.starts).toBe(1);
  });

  test('when it comes with another body, is 409', async () => {
    await execute('other-body', { priority: 'HIGH' });

    const { status, body } = await execute('other-body', { priority: 'LOW' });

    expect(status).toBe(409);
    expect(body).toMatchObject({ error: { code: 'CONFLICT' } });
    expect(api.runs.starts).toBe(1);
  });

  test('when it is sent to another path, is another key', async () => {
    await execute('other-path');
    await execute('other-path', {}, '/v1/pipelines/more-birds/execute');

    expect(api.runs.starts).toBe(2);
  });

  test('when twenty requests race with it, one works and the others wait for its answer', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<undefined>();
    api.runs.beforeStart = () => gate.then(() => undefined);

    const racing = Promise.all(Array.from({ length: 20 }, () => execute('racing')));
    setTimeout(() => {
      open(undefined);
    }, 150);
    const answers = await racing;

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => startedRun.parse(body).workflowId)).size).toBe(1);
    expect(api.runs.starts).toBe(1);
  });

  test('when the first answer was the fault of the caller, gives it again', async () => {
    const first = await execute('missing', {}, '/v1/pipelines/no-such/execute');
    const second = await execute('missing', {}, '/v1/pipelines/no-such/execute');

    expect(first.status).toBe(404);
    expect(second.body).toEqual(first.body);
  });

  test('when the first attempt failed on our side, works again under the same reserved id', async () => {
    api.runs.beforeStart = () => Promise.reject(new ServiceError('SERVICE_UNAVAILABLE', 'Temporal is away'));
    expect((await execute('unlucky')).status).toBe(503);
    api.runs.beforeStart = () => Promise.reject(new Error('a defect'));
    expect((await execute('unlucky')).status).toBe(500);
    api.runs.beforeStart = () => Promise.resolve();

    expect((await execute('unlucky')).status).toBe(202);
    expect(api.runs.starts).toBe(1);
  });

  test('when its process was killed after the start, finds the run instead of starting a second', async () => {
    const begun = await api.store.idempotency.begin({
      tenant: 'default',
      method: 'POST',
      path: '/v1/pipelines/birds/execute',
      key: 'killed',
      owner: 'a process that is gone',
      bodySha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    });
    if (begun.outcome !== 'yours') throw new Error('the key was taken');
    const actor = { tenant: 'default', user: 'local', roles: [], requestId: 'first' };
    const before = await api.runs.start(actor, 'birds', { parameters: {} }, begun.reservedId);
    await api.store.idempotency.release({
      tenant: 'default',
      method: 'POST',
      path: '/v1/pipelines/birds/execute',
      key: 'killed',
      owner: 'a process that is gone',
    });

    const { status, body } = await api.call('POST', '/v1/pipelines/birds/execute', {
      headers: { 'x-idempotency-key': 'killed' },
    });

    expect(status).toBe(202);
    expect(body).toEqual(before);
    expect(api.runs.starts).toBe(1);
  });

  test('when it registers a pipeline, does so once', async () => {
    const create = () =>
      api.call('POST', '/v1/pipelines', { json: birds({ name: 'once' }), headers: { 'x-idempotency-key': 'once' } });

    const [first, second] = await Promise.all([create(), create()]);

    expect(first.status).toBe(201);
    expect(second.body).toEqual(first.body);
  });

  test.each([
    ['too long', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['empty', ''],
  ])('when it is %s, is 400', async (_what, key) => {
    const { status } = await execute(key);

    expect(status).toBe(400);
    expect(api.runs.starts).toBe(0);
  });
});
