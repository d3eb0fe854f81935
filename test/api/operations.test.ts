import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
let reason: string | undefined;
beforeAll(async () => {
  api = await startApi({
    readiness: () =>
      Promise.resolve({
        database: { ok: true },
        temporal: { ok: reason === undefined, ...(reason !== undefined && { error: reason }) },
      }),
  });
  await api.call('POST', '/v1/pipelines', { json: birds() });
});
afterAll(() => api.close());

describe('readiness', () => {
  test('when everything is there, is 200', async () => {
    expect(await api.call('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ready', dependencies: { temporal: { ok: true } } },
    });
  });

  test('when a dependency is away, is 503 and says which and why, while the process lives', async () => {
    reason = 'connection refused';
    try {
      expect(await api.call('GET', '/health/ready')).toMatchObject({
        status: 503,
        body: { status: 'not ready', dependencies: { database: { ok: true }, temporal: { ok: false, error: reason } } },
      });
      expect(await api.call('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
    } finally {
      reason = undefined;
    }
  });
});

describe('http_request_duration_seconds', () => {
  test('when paths have ids, is labelled with their pattern', async () => {
    await api.call('GET', '/v1/pipelines/birds');
    await api.call('GET', '/pipelines/never-registered');
    await api.call('GET', '/wp-admin/setup.php');
    await api.call('BREW', '/v1/pipelines').catch(() => undefined);

    const { body, headers } = await api.call('GET', '/metrics');

    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = String(body);
    expect(text).toMatch(
      /http_request_duration_seconds_count\{method="GET",route="\/v1\/pipelines\/\{id\}",status="200"\} 1\n/,
    );
    expect(text).toMatch(
      /http_request_duration_seconds_count\{method="GET",route="\/v1\/pipelines\/\{id\}",status="404"\} 1\n/,
    );
    expect(text).toMatch(/http_request_duration_seconds_count\{method="GET",route="unmatched",status="404"\} 1\n/);
    expect(text).not.toContain('never-registered');
    expect(text).not.toContain('wp-admin');
  });
});

describe('HEAD and OPTIONS', () => {
  test('when a route answers GET, answer as HTTP says', async () => {
    const head = await api.call('HEAD', '/v1/pipelines/birds');
    const options = await api.call('OPTIONS', '/v1/pipelines/birds');

    expect(head.status).toBe(200);
    expect(head.body).toBe('');
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('GET, PUT, DELETE, HEAD, OPTIONS');
    expect(options.headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('answers', () => {
  test('when they are sent, carry headers that keep browsers from doing more with them', async () => {
    const { headers } = await api.call('GET', '/v1/pipelines');

    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.has('x-powered-by')).toBe(false);
  });
});

describe('the API description', () => {
  test('when a route changes, is written anew (npm run openapi)', async () => {
    const committed: unknown = JSON.parse(await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));

    expect(committed).toEqual(JSON.parse(JSON.stringify(createOpenApiDocument())));
  });

  test('when it is asked for, is what the routes declare', async () => {
    const { body } = await api.call('GET', '/openapi.json');

    expect(body).toEqual(JSON.parse(JSON.stringify(createOpenApiDocument())));
    expect(body).toMatchObject({ openapi: '3.1.0' });
  });

  test('when a person reads it, comes from here and from nowhere else', async () => {
    const { status, body, headers } = await api.call('GET', '/docs');

    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('text/html');
    const assets = [...String(body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '');
    expect(assets).toHaveLength(4);
    for (const asset of assets) {
      expect(asset).toMatch(/^\/docs\//);
      expect((await api.call('GET', asset)).status, asset).toBe(200);
    }
  });
});
