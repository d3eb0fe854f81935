import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { errorAnswer } from '../../src/schemas/api-answers.ts';
import { startedRun } from '../../src/schemas/api-run-answers.ts';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/pipelines', { json: birds() });
});
afterAll(() => api.close());

describe('an error', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/v2/pipelines'],
    ['GET', '/v1/pipelines/no-such'],
    ['GET', '/v1/pipelines/executions/no-such'],
    ['GET', '/v1/pipelines/executions/no-such/steps/quality/logs'],
    ['GET', '/v1/pipelines/workflows/no-such/status'],
    ['POST', '/v1/pipelines/no-such/execute'],
    ['POST', '/v1/pipelines/birds/nothing'],
    ['GET', '/v1/migrations/no-such'],
    ['GET', '/v1/pipelines/birds/schedule'],
    ['GET', '/v1/pipelines/%F0%9F%90%A6'],
    ['PATCH', '/v1/pipelines/birds'],
    ['DELETE', '/health'],
    ['GET', '/V1/pipelines'],
    ['GET', '/docs/../../package.json'],
    ['GET', '/docs/%2e%2e%2fpackage.json'],
  ])('when %s %s is nothing, is 404 in the form of errors', async (method, path) => {
    const { status, body } = await api.call(method, path);

    expect(status).toBe(404);
    expect(errorAnswer.strict().parse(body).error.code).toBe('RESOURCE_NOT_FOUND');
  });

  test.each([
    '/v1/pipelines/%',
    '/v1/pipelines/%ff',
    '/v1/pipelines/%00',
    '/v1/pipelines/%zz/execute',
    `/v1/pipelines/${'x'.repeat(256)}`,
  ])('when the path is garbage (%s), is 400 or 404 and never 500', async (path) => {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
      const { status, body } = await api.call(method, path, method === 'PUT' ? { json: birds() } : {});
      expect([400, 404], `${method} ${JSON.stringify(body)}`).toContain(status);
      errorAnswer.parse(body);
    }
  });

  test('when it is a defect, is logged once and its message stays inside', async () => {
    const broken = vi.spyOn(api.registry, 'list').mockRejectedValue(new Error('the password is hunter2'));
    try {
      const { status, body, headers } = await api.call('GET', '/v1/pipelines');

      expect(status).toBe(500);
      expect(body).toMatchObject({ error: { code: 'INTERNAL_ERROR', category: 'SYSTEM', details: [] } });
      expect(JSON.stringify(body)).not.toContain('hunter2');
      const requestId = headers.get('x-request-id');
      const logged = api.logged.filter((line) => line['requestId'] === requestId && line['level'] === 'error');
      expect(logged).toHaveLength(1);
      expect(JSON.stringify(logged)).toContain('hunter2');
    } finally {
      broken.mockRestore();
    }
  });

  test('when something is away, is 503', async () => {
    api.runs.beforeStart = () => Promise.reject(new ServiceError('SERVICE_UNAVAILABLE', 'Temporal is away'));
    try {
      const { status, body } = await api.call('POST', '/v1/pipelines/birds/execute');
      expect(status).toBe(503);
      expect(body).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE', message: 'Temporal is away' } });
    } finally {
      api.runs.beforeStart = () => Promise.resolve();
    }
  });
});

describe('a request id', () => {
  test('when it is sent, is taken over into the answer, the error and the log', async () => {
    const { body, headers } = await api.call('GET', '/v1/pipelines/no-such', {
      headers: { 'x-request-id': 'order-66/retry:2' },
    });

    expect(headers.get('x-request-id')).toBe('order-66/retry:2');
    expect(body).toMatchObject({ metadata: { requestId: 'order-66/retry:2' } });
    await vi.waitFor(() => {
      expect(api.logged).toContainEqual(
        expect.objectContaining({
          requestId: 'order-66/retry:2',
          route: '/v1/pipelines/{id}',
          status: 404,
          user: 'local',
        }),
      );
    });
  });

  test.each([
    ['absent', undefined],
    ['too long', 'x'.repeat(129)],
    ['with a space', 'a b'],
    ['with quotes', '"a"'],
  ])('when it is %s, is made', async (_what, sent) => {
    const { headers } = await api.call(
      'GET',
      '/health',
      sent === undefined ? {} : { headers: { 'x-request-id': sent } },
    );

    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a signal', () => {
  test.each([
    ['of another name', { name: 'dance', data: {} }],
    ['of no name', { data: {} }],
    ['without the answer', { name: 'approval', data: {} }],
    ['with an answer that is no boolean', { name: 'approval', data: { approved: 'yes' } }],
    ['with an unknown key', { name: 'pause', data: { until: 'tomorrow' } }],
  ])('when it is %s, is 400 and reaches nobody', async (_what, json) => {
    const workflowId = await started();
    const before = api.runs.signals.length;

    const { status } = await api.call('POST', `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`, {
      json,
    });

    expect(status).toBe(400);
    expect(api.runs.signals).toHaveLength(before);
  });

  test('when it is good, is accepted with 202', async () => {
    const workflowId = await started();
    const path = `/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`;

    for (const json of [
      { name: 'approval', data: { approved: false, comment: 'too few birds' } },
      { name: 'cancellation', data: { reason: 'enough' } },
      { name: 'cancellation' },
      { name: 'pause', data: {} },
      { name: 'resume' },
    ]) {
      const { status, body } = await api.call('POST', path, { json });
      expect(status, JSON.stringify(body)).toBe(202);
      expect(body).toEqual({ workflowId, signal: json.name, status: 'ACCEPTED' });
    }
  });
});

async function started(): Promise<string> {
  return startedRun.parse((await api.call('POST', '/v1/pipelines/birds/execute')).body).workflowId;
}
