import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startedRun } from '../../src/schemas/api-run-answers.ts';
import { birds, OPEN, startApi, type TestApi } from './support/test-api.ts';

const SECRET = 'a secret of more than thirty-two characters';
const JANE = { sub: 'jane', tenant_id: 'acme', roles: ['tenant_admin'] };

const hs256 = (claims: JWTPayload, { secret = SECRET, expires = '5m' } = {}) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const as = async (...roles: string[]) => bearer(await hs256({ ...JANE, roles }));

describe('with a secret', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({
      auth: { ...OPEN, jwtSecret: SECRET, issuer: 'https://issuer.test', audience: ['pipelines'] },
    });
  });
  afterAll(() => api.close());
  const claims = { ...JANE, iss: 'https://issuer.test', aud: 'pipelines' };
  const list = (headers: Record<string, string>) => api.call('GET', '/v1/pipelines', { headers });

  test('a token, when it is good, is accepted', async () => {
    expect((await list(bearer(await hs256(claims)))).status).toBe(200);
    expect((await list({ ...bearer(await hs256(claims)), 'x-tenant-id': 'acme' })).status).toBe(200);
  });

  test.each<[string, () => Promise<Record<string, string>>]>([
    ['missing', () => Promise.resolve({})],
    ['of another scheme', () => Promise.resolve({ authorization: 'Basic amFuZTpwdw==' })],
    ['no token at all', () => Promise.resolve(bearer('x.y.z'))],
    ['signed by another secret', async () => bearer(await hs256(claims, { secret: `${SECRET}!` }))],
    ['unsigned', () => Promise.resolve(bearer(new UnsecuredJWT(claims).setExpirationTime('5m').encode()))],
    [
      'of HS512',
      async () =>
        bearer(
          await new SignJWT(claims)
            .setProtectedHeader({ alg: 'HS512' })
            .setExpirationTime('5m')
            .sign(new TextEncoder().encode(SECRET.padEnd(64))),
        ),
    ],
    [
      'without an expiry',
      async () =>
        bearer(await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET))),
    ],
    ['of another issuer', async () => bearer(await hs256({ ...claims, iss: 'https://other.test' }))],
    ['for another audience', async () => bearer(await hs256({ ...claims, aud: 'others' }))],
    ['without a subject', async () => bearer(await hs256({ ...claims, sub: '' }))],
    ['without a tenant', async () => bearer(await hs256({ ...claims, tenant_id: undefined }))],
    ['of a tenant that is a path', async () => bearer(await hs256({ ...claims, tenant_id: '../acme' }))],
    ['with roles that are no list', async () => bearer(await hs256({ ...claims, roles: 'tenant_admin' }))],
  ])('a token, when it is %s, is UNAUTHORIZED', async (_what, headers) => {
    const answer = await list(await headers());

    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ error: { code: 'UNAUTHORIZED', category: 'AUTHENTICATION' } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('a token, when it has expired, is TOKEN_EXPIRED', async () => {
    const { status, body } = await list(bearer(await hs256(claims, { expires: '-1s' })));

    expect(status).toBe(401);
    expect(body).toMatchObject({ error: { code: 'TOKEN_EXPIRED' } });
  });

  test('a request, when its X-Tenant-ID is another, is TENANT_MISMATCH', async () => {
    const { status, body } = await list({ ...bearer(await hs256(claims)), 'x-tenant-id': 'other' });

    expect(status).toBe(403);
    expect(body).toMatchObject({ error: { code: 'TENANT_MISMATCH' } });
  });

  test('probes, metrics and the API description, when asked without a token, answer', async () => {
    for (const path of ['/health', '/health/ready', '/metrics', '/openapi.json', '/docs']) {
      expect((await api.call('GET', path)).status, path).toBe(200);
    }
  });
});

describe('roles', () => {
  let api: TestApi;
  let workflowId: string;
  beforeAll(async () => {
    api = await startApi({ auth: { ...OPEN, jwtSecret: SECRET } });
    await api.call('POST', '/v1/pipelines', { json: birds(), headers: await as('operator') });
    const { body } = await api.call('POST', '/v1/pipelines/birds/execute', { headers: await as('operator') });
    workflowId = startedRun.parse(body).workflowId;
  });
  afterAll(() => api.close());

  const APPROVAL = { name: 'approval', data: { approved: true } };
  const PAUSE = { name: 'pause' };
  test.each([
    ['viewer', 'read', 200],
    ['approver', 'read', 200],
    ['operator', 'read', 200],
    ['stranger', 'read', 403],
    ['viewer', 'write', 403],
    ['approver', 'write', 403],
    ['operator', 'write', 200],
    ['tenant_admin', 'write', 200],
    ['viewer', 'approve', 403],
    ['operator', 'approve', 403],
    ['approver', 'approve', 202],
    ['tenant_admin', 'approve', 202],
    ['viewer', 'pause', 403],
    ['approver', 'pause', 403],
    ['operator', 'pause', 202],
  ] as const)('a %s, when it wants to %s, is answered %i', async (role, what, expected) => {
    const headers = await as(role);
    const signal = `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`;
    const calls = {
      read: () => api.call('GET', '/v1/pipelines/birds', { headers }),
      write: () => api.call('PUT', '/v1/pipelines/birds', { headers, json: birds() }),
      approve: () => api.call('POST', signal, { headers, json: APPROVAL }),
      pause: () => api.call('POST', signal, { headers, json: PAUSE }),
    };

    const { status, body } = await calls[what]();

    expect(status).toBe(expected);
    if (expected === 403) expect(body).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });

  test('an answer, when the body names somebody, is still of the token’s subject', async () => {
    const signal = `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`;
    const forged = { name: 'approval', data: { approved: true, approvedBy: 'boss' } };
    expect((await api.call('POST', signal, { headers: await as('approver'), json: forged })).status).toBe(400);

    await api.call('POST', signal, { headers: await as('approver'), json: APPROVAL });

    expect(api.runs.signals.at(-1)).toMatchObject({ user: 'jane', signal: APPROVAL });
  });

  test('another tenant, when it asks for what is not its own, finds nothing', async () => {
    const other = bearer(await hs256({ ...JANE, tenant_id: 'other' }));

    expect((await api.call('GET', '/v1/pipelines/birds', { headers: other })).status).toBe(404);
    expect((await api.call('DELETE', '/v1/pipelines/birds', { headers: other })).status).toBe(404);
    expect((await api.call('GET', '/v1/pipelines', { headers: other })).body).toMatchObject({ data: [] });
    expect((await api.call('GET', '/v1/audit', { headers: other })).body).toMatchObject({ data: [] });
    const created = await api.call('POST', '/v1/pipelines', { headers: other, json: birds() });
    expect(created.status).toBe(201);
  });
});

describe("with the issuer's keys", () => {
  let api: TestApi;
  let keys: Server;
  let key: CryptoKey;
  let publicPem: string;
  beforeAll(async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    key = pair.privateKey;
    publicPem = await exportSPKI(pair.publicKey);
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', use: 'sig' };
    keys = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
    });
    await new Promise((listening) =>
      keys.listen(0, '127.0.0.1', () => {
        listening(undefined);
      }),
    );
    const jwksUrl = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`;
    api = await startApi({ auth: { ...OPEN, jwksUrl } });
  });
  afterAll(async () => {
    await api.close();
    keys.close();
  });
  const rs256 = (kid: string) =>
    new SignJWT(JANE).setProtectedHeader({ alg: 'RS256', kid }).setExpirationTime('5m').sign(key);
  const list = (token: string) => api.call('GET', '/v1/pipelines', { headers: bearer(token) });

  test('a token, when one of them signed it, is accepted', async () => {
    expect((await list(await rs256('one'))).status).toBe(200);
  });

  test('a token, when none of them signed it, is UNAUTHORIZED', async () => {
    expect((await list(await rs256('two'))).body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });

  test('a token, when it takes the public key for an HMAC secret, is UNAUTHORIZED', async () => {
    const confused = await new SignJWT(JANE)
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(publicPem));

    expect((await list(confused)).body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });

  test('a token, when the issuer is away, is 503 and not refused', async () => {
    const lost = await startApi({ store: api.store, auth: { ...OPEN, jwksUrl: 'http://127.0.0.1:1/keys' } });
    try {
      const { status, body } = await lost.call('GET', '/v1/pipelines', { headers: bearer(await rs256('one')) });
      expect(status).toBe(503);
      expect(body).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } });
    } finally {
      await lost.close();
    }
  });
});
