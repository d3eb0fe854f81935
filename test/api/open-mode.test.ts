import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
let port: string;
beforeAll(async () => {
  api = await startApi();
  ({ port } = new URL(api.url));
});
afterAll(() => api.close());

/** Not fetch, which does not let its caller choose Host. */
async function get(path: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers }, (response) => {
      void text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      });
    })
      .on('error', reject)
      .end();
  });
}

test.each(['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST', 'pipelines.localhost', '127.0.0.2'])(
  'a request, when its Host is %s, is answered',
  async (name) => {
    expect((await get('/v1/pipelines', { host: `${name}:${port}` })).status).toBe(200);
  },
);

test.each([
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  '192.168.0.1',
  'a@localhost',
  'localhost/x',
])('a request, when its Host is "%s", is refused', async (name) => {
  for (const path of ['/v1/pipelines', '/health', '/metrics', '/docs', '/no-such']) {
    const { status, body } = await get(path, { host: `${name}:${port}` });
    expect(status, path).toBe(403);
    expect(body).toContain('FORBIDDEN');
  }
});

test.each([
  ['https://evil.example', 403],
  ['http://localhost.evil.example', 403],
  ['null', 403],
  ['http://localhost:1', 403],
  ['own', 200],
])('a request, when its Origin is %s, is answered %i', async (origin, expected) => {
  const { status } = await get('/v1/pipelines', {
    host: `localhost:${port}`,
    origin: origin === 'own' ? `http://localhost:${port}` : origin,
  });

  expect(status).toBe(expected);
});

test('a request, when it names another tenant, is refused', async () => {
  const mismatch = await api.call('GET', '/v1/pipelines', { headers: { 'x-tenant-id': 'acme' } });
  const own = await api.call('GET', '/v1/pipelines', { headers: { 'x-tenant-id': 'default' } });

  expect(mismatch.status).toBe(403);
  expect(mismatch.body).toMatchObject({ error: { code: 'TENANT_MISMATCH' } });
  expect(own.status).toBe(200);
});
