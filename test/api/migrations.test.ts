/** What a migration may be asked, what is refused with the path of the fault, and who may ask. Nothing is at work behind it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SignJWT } from 'jose';
import { OPEN, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const SECRET = 'postgres://app:hunter2@db/app';
const iceberg = (changes: Record<string, unknown> = {}) => ({
  type: 'iceberg',
  table: 'analytics.delays',
  changes: [{ op: 'rename_column', column: 'delay', to: 'minutes' }],
  ...changes,
});
const postgres = (changes: Record<string, unknown> = {}) => ({
  type: 'postgres',
  connection: '${secret:APP}',
  table: 'delays',
  changes: [{ op: 'add_column', column: 'seen', type: 'boolean', default: false }],
  ...changes,
});
let made = 0;
/** Each of other tables, since one at work keeps others from its own. */
const document = (...targets: object[]) => ({ name: `migration-${(made += 1)}`, targets });
const ask = (json: unknown, headers: Record<string, string> = {}) =>
  api.call('POST', '/v1/migrations', { json, headers });

test('a document, when much of it is wrong, is 400 with every fault at its path, and no password in any of them', async () => {
  const { status, body } = await ask({
    name: 'Not A Name',
    targets: [
      iceberg({ changes: [], extra: 1 }),
      iceberg({ changes: [{ op: 'add_index', name: 'i', columns: ['a'] }] }),
      postgres({ connection: 7 }),
      postgres({ changes: [{ op: 'sql', sql: 'select 1' }] }),
      { type: 'mysql', table: 't', changes: [] },
    ],
  });
  expect(status).toBe(400);
  const { details } = (body as { error: { details: { path: string }[] } }).error;
  expect(details.map(({ path }) => path).toSorted()).toEqual([
    'name',
    'targets.0.changes',
    'targets.0.extra',
    'targets.1.changes.0.op',
    'targets.2.connection',
    'targets.3.changes.0.undo',
    'targets.4.type',
  ]);
});

test.each([
  ['a table stands there twice', [iceberg(), iceberg()], 'targets.1.table'],
  [
    'a table stands there with and without its schema',
    [postgres(), postgres({ table: 'public.delays' })],
    'targets.1.table',
  ],
  [
    'a secret stands elsewhere',
    [iceberg({ changes: [{ op: 'set_comment', comment: '${secret:APP}' }] })],
    'targets.0.changes.0.comment',
  ],
  ['a connection is no PostgreSQL', [postgres({ connection: 'mysql://app:hunter2@db/app' })], 'targets.0.connection'],
  [
    'a connection has a parameter',
    [postgres({ connection: 'postgres://${user}:hunter2@db/app' })],
    'targets.0.connection',
  ],
  [
    'a check is of another table',
    [iceberg({ checks: [{ type: 'row_count', source: 'other', min: 1 }] })],
    'targets.0.checks.0.source',
  ],
  [
    'a check reads another table',
    [iceberg({ checks: [{ type: 'custom_sql', sql: 'select * from secrets' }] })],
    'targets.0.checks.0.sql',
  ],
  [
    'a check is no SELECT',
    [iceberg({ checks: [{ type: 'custom_sql', sql: 'drop table analytics.delays' }] })],
    'targets.0.checks.0.sql',
  ],
  [
    'a check has a parameter',
    [iceberg({ checks: [{ type: 'custom_sql', sql: 'select ${x} from analytics.delays' }] })],
    'targets.0.checks.0.sql',
  ],
])('a document, when %s, is 400 and names where', async (_, targets, path) => {
  const { status, body } = await ask(document(...targets));
  expect(status).toBe(400);
  expect(body).toMatchObject({ error: { code: 'VALIDATION_FAILED', details: [{ path }] } });
  expect(JSON.stringify(body)).not.toContain('hunter2');
});

test('a migration, when it was started, is shown without its connection; the same key again starts nothing new', async () => {
  const key = { 'x-idempotency-key': randomUUID() };
  const checks = [{ type: 'custom_sql', sql: 'select * from analytics.shown where minutes is null' }];
  const json = document(
    iceberg({ table: 'analytics.shown', checks }),
    postgres({ connection: SECRET, table: 'shown' }),
  );
  const [first, second] = [await ask(json, key), await ask(json, key)];
  expect(first.status).toBe(202);
  expect(second.body).toEqual(first.body);
  const { migrationId, workflowId } = first.body as { migrationId: string; workflowId: string };
  const shown = await api.call('GET', `/v1/migrations/${migrationId}`);
  expect(shown.body).toMatchObject({
    name: json.name,
    workflowId,
    status: 'RUNNING',
    round: 1,
    targets: [
      { position: 0, type: 'iceberg', table: 'analytics.shown' },
      { position: 1, type: 'postgres', table: 'shown' },
    ],
    validation: [],
  });
  const { steps } = shown.body as { steps: { step: string; status: string }[] };
  expect(steps.map(({ step }) => step)).toEqual(
    ['validate', 'backup', 'apply', 'verify', 'release'].flatMap((verb) => [
      `${verb}:analytics.shown`,
      `${verb}:shown`,
    ]),
  );
  const listed = await api.call('GET', '/v1/migrations');
  expect(listed.body).toMatchObject({ data: [{ migrationId }], pagination: { total: 1 } });
  const audited = await api.call('GET', `/v1/audit?subject=${migrationId}`);
  expect(audited.body).toMatchObject({ data: [{ action: 'migration.start', actor: 'local' }] });
  const status = await api.call('GET', `/v1/pipelines/workflows/${workflowId}/status`);
  expect(status.body).toMatchObject({ workflowId, status: 'RUNNING', progress: 0, activities: [], pendingSignals: [] });
  expect(JSON.stringify([shown.body, listed.body, audited.body, status.body, api.logged])).not.toContain('hunter2');

  const another = await ask(document(iceberg({ table: 'analytics.shown' })));
  expect(another.status).toBe(409);
  expect((await api.call('POST', `/v1/migrations/${migrationId}/retry`)).status).toBe(409);
});

test('a migration, when it is YAML with other tables than another, is started, too', async () => {
  const text = [
    'name: yaml',
    'requires_approval: true',
    'targets:',
    '  - { type: iceberg, table: a.yaml, changes: [{ op: set_partition_by, partition_by: [day(d)] }] }',
  ].join('\n');
  const { status, body } = await api.call('POST', '/v1/migrations', {
    text,
    headers: { 'content-type': 'application/yaml' },
  });
  expect(status).toBe(202);
  const { migrationId, workflowId } = body as { migrationId: string; workflowId: string };
  const { steps } = (await api.call('GET', `/v1/migrations/${migrationId}`)).body as { steps: { step: string }[] };
  expect(steps.map(({ step }) => step)).toContain('gate');
  const path = `/v1/pipelines/workflows/${workflowId}/signal`;
  const answer = (json: unknown) => api.call('POST', path, { json });
  // Its gate is not open yet: an answer would be a blind one.
  expect((await answer({ name: 'approval', data: { approved: true } })).status).toBe(409);
  expect((await answer({ name: 'pause' })).status).toBe(409);
});

test('a migration, when nobody knows it, is 404', async () => {
  for (const [method, path] of [
    ['GET', '/v1/migrations/nothing'],
    ['POST', '/v1/migrations/nothing/retry'],
    ['GET', '/v1/pipelines/workflows/migration-nothing/status'],
  ] as const) {
    expect((await api.call(method, path)).status, path).toBe(404);
  }
});

test('a migration, when a viewer or another tenant asks, is read or not there, and changed by neither', async () => {
  const secret = 'a secret of at least thirty-two bytes';
  await using guarded = Object.assign(await startApi({ auth: { ...OPEN, jwtSecret: secret } }), {
    async [Symbol.asyncDispose]() {
      await guarded.close();
    },
  });
  const as = async (tenant_id: string, ...roles: string[]) => {
    const token = new SignJWT({ sub: 'jane', tenant_id, roles }).setProtectedHeader({ alg: 'HS256' });
    return { authorization: `Bearer ${await token.setExpirationTime('5m').sign(new TextEncoder().encode(secret))}` };
  };
  const [viewer, operator, other] = [
    await as('acme', 'viewer'),
    await as('acme', 'operator'),
    await as('other', 'operator'),
  ];
  const json = document(iceberg());
  const call = async (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
    guarded.call(method, path, { headers, ...(body !== undefined && { json: body }) });
  expect((await call('POST', '/v1/migrations', viewer, json)).status).toBe(403);
  const { status, body } = await call('POST', '/v1/migrations', operator, json);
  expect(status).toBe(202);
  const { migrationId, workflowId } = body as { migrationId: string; workflowId: string };
  const path = `/v1/migrations/${migrationId}`;
  expect((await call('GET', path, viewer)).status).toBe(200);
  expect((await call('GET', path, other)).status).toBe(404);
  expect((await call('POST', `${path}/retry`, viewer)).status).toBe(403);
  expect((await call('POST', `${path}/retry`, other)).status).toBe(404);
  const signal = `/v1/pipelines/workflows/${workflowId}/signal`;
  const yes = { name: 'approval', data: { approved: true } };
  expect((await call('POST', signal, operator, yes)).status).toBe(403);
  expect((await call('POST', signal, await as('other', 'approver'), yes)).status).toBe(404);
  expect((await call('GET', '/v1/migrations', other)).body).toMatchObject({ pagination: { total: 0 } });
  // The table is the same for all tenants; whose migration is at work is not told.
  const busy = await call('POST', '/v1/migrations', other, document(iceberg()));
  expect(busy.status).toBe(409);
  expect(JSON.stringify(busy.body)).not.toContain(migrationId);
});
