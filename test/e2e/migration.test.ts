/**
 * A migration over two Iceberg tables and one PostgreSQL table on the real thing: the service, its Temporal server, the
 * catalog, the tables and PostgreSQL are real, and somebody else adds rows to all three tables all the while.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MigrationAnswer } from '../../src/schemas/api-migrations.ts';
import { MigratedTables, type TableState } from '../support/migrated-tables.ts';
import { Service } from '../support/service.ts';

let service: Service;
let tables: MigratedTables;
let before: Record<string, TableState>;

beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
  tables = await MigratedTables.make(service.dataDir);
  before = await tables.states();
  await tables.db.query('insert into switch values (true)');
  tables.startWriting();
}, 120_000);
afterAll(async () => {
  await tables[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

interface Change {
  /** By position: a query whose rows fail. */
  failing?: Record<number, string>;
  requires_approval?: boolean;
  /** Position of a table that somebody else gives a column of that name meanwhile. */
  taken?: number;
}

function document({ failing = {}, requires_approval = false, taken }: Change = {}) {
  const mine = (position: number) => (position === taken ? [{ op: 'add_column', column: 'taken', type: 'int' }] : []);
  const checks = (position: number) => {
    const sql = failing[position];
    return sql === undefined ? [{ type: 'row_count', min: 200 }] : [{ type: 'custom_sql', sql }];
  };
  return {
    name: 'three-systems',
    requires_approval,
    targets: [
      {
        type: 'iceberg',
        table: 'lake.one',
        changes: [
          { op: 'rename_column', column: 'delay', to: 'minutes' },
          { op: 'retype_column', column: 'minutes', type: 'long' },
          { op: 'add_column', column: 'seen', type: 'boolean' },
          ...mine(0),
        ],
        checks: checks(0),
      },
      {
        type: 'iceberg',
        table: 'lake.two',
        changes: [
          { op: 'drop_column', column: 'note' },
          { op: 'set_partition_by', partition_by: ['bucket(4, id)'] },
          ...mine(1),
        ],
        checks: checks(1),
      },
      {
        type: 'postgres',
        connection: tables.server.url,
        table: 'three',
        changes: [
          { op: 'retype_column', column: 'delay', type: 'bigint' },
          { op: 'drop_column', column: 'note' },
          { op: 'add_column', column: 'seen', type: 'boolean', default: false },
          { op: 'add_index', name: 'three_who', columns: ['who'] },
          // Works while the switch is on.
          { op: 'sql', sql: 'select 1 / (select count(*) from switch)', undo: 'select 1' },
        ],
        checks: checks(2),
      },
    ],
  };
}

async function start(body: object): Promise<string> {
  const answer = await service.call('POST', '/v1/migrations', body);
  if (answer.status !== 202) throw new Error(`not started: ${JSON.stringify(answer.body)}`);
  return answer.body['migrationId'] as string;
}

async function until(id: string, wanted: (migration: MigrationAnswer) => boolean, limitMs = 120_000) {
  const deadlineMs = Date.now() + limitMs;
  for (;;) {
    const migration = (await service.call('GET', `/v1/migrations/${id}`)).body as unknown as MigrationAnswer;
    if (wanted(migration)) return migration;
    if (Date.now() > deadlineMs) throw new Error(`never reached: ${JSON.stringify(migration)}\n${service.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const ended = (id: string) => until(id, ({ status }) => status !== 'RUNNING');
const atGate = (id: string) =>
  until(id, ({ steps }) => steps.some(({ step, status }) => step === 'gate' && status === 'RUNNING'));

/** A step of this kind has begun, or it is too late for one. */
const begun = (id: string, verb: string) =>
  until(
    id,
    ({ steps, status }) =>
      status !== 'RUNNING' || steps.some(({ step, attempts }) => step.startsWith(`${verb}:`) && attempts > 0),
  );

/** What is to be tried again is tried at once: after a backup or a restore the retry table waits for a minute. */
async function endedWithoutBackoff(id: string): Promise<MigrationAnswer> {
  const { workflowId } = await until(id, () => true);
  const over = ended(id);
  const isOver = over.then(() => true);
  await service.withTemporal(async (client) => {
    do {
      const { raw } = await client.workflow.getHandle(workflowId).describe();
      for (const { activityId, nextAttemptScheduleTime } of raw.pendingActivities ?? []) {
        if (nextAttemptScheduleTime == null) continue;
        const of = { namespace: client.options.namespace, execution: { workflowId } };
        await client.workflowService.resetActivity({ ...of, id: activityId ?? null });
      }
    } while (!(await Promise.race([isOver, sleep(500, false)])));
  });
  return over;
}

async function allAsBefore(): Promise<void> {
  expect(await tables.states()).toEqual(before);
  expect(await tables.lost()).toEqual([]);
  const { rows } = await tables.db.query(
    `select attname from pg_attribute where attrelid = 'three'::regclass and attnum > 0 and not attisdropped`,
  );
  expect(rows).toHaveLength(4);
}

test('a dry run, when a pipeline reads a column that changes, tells so, with columns before and after, and changes nothing', async () => {
  await service.register({
    name: 'reader',
    version: '1',
    definition: {
      sources: { one: { type: 'iceberg', table: 'lake.one' } },
      transformations: [{ name: 'late', engine: 'sql', sql: 'select id, delay from one' }],
      sinks: { out: { type: 'file', from: 'late', path: `${service.folder}/late.csv`, format: 'csv' } },
    },
  });
  const { status, body } = await service.call('POST', '/v1/migrations?dryRun=true', document());
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body).toMatchObject({ valid: true, errors: [] });
  const [one, , three] = body['targets'] as MigrationAnswer['validation'];
  expect(one?.impact).toMatchObject([{ name: 'reader', how: 'reads', columns: ['delay'], mayUse: [] }]);
  expect(one?.before.map(({ name }) => name)).toEqual(['id', 'delay', 'who', 'note']);
  expect(one?.after.map(({ name }) => name)).toEqual(['id', 'minutes', 'who', 'note', 'seen']);
  expect(three?.touched.toSorted()).toEqual(['delay', 'note']);
  const wrong = {
    ...document(),
    targets: [{ type: 'iceberg', table: 'lake.two', changes: [{ op: 'drop_column', column: 'x' }] }],
  };
  const refused = await service.call('POST', '/v1/migrations?dryRun=true', wrong);
  expect(refused.body).toMatchObject({ valid: false, errors: [{ path: 'targets.0.changes.0' }] });
  await allAsBefore();
}, 60_000);

test('a migration, when a check of any of its tables fails, leaves all of them exactly as they were', async () => {
  for (const [position, table] of ['lake.one', 'lake.two', 'three'].entries()) {
    const failing = { [position]: `select * from ${table} where id < 3` };
    const rolledBack = await ended(await start(document({ failing })));
    expect(rolledBack.status, JSON.stringify(rolledBack)).toBe('ROLLED_BACK');
    expect(rolledBack.reason).toBe(`${table}: checks.0 (custom_sql): the query answers 3 rows (3 failing rows)`);
    const restores = rolledBack.steps.filter(({ step }) => step.startsWith('restore:'));
    expect(restores.map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
    await allAsBefore();
  }
}, 180_000);

test('a migration, when a table breaks after it was looked at, leaves all of them exactly as they were', async () => {
  const id = await start(document({ requires_approval: true }));
  const { workflowId } = await atGate(id);
  const waiting = await service.call('GET', '/v1/approvals');
  expect(waiting.body).toMatchObject({ data: [{ migrationId: id, migrationName: 'three-systems' }] });
  await tables.db.query('delete from switch');
  const yes = { name: 'approval', data: { approved: true } };
  expect((await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, yes)).status).toBe(202);
  const rolledBack = await ended(id);
  expect(rolledBack).toMatchObject({ status: 'ROLLED_BACK' });
  expect(rolledBack.reason).toContain('division by zero');
  await allAsBefore();
  await tables.db.query('insert into switch values (true)');

  for (const [taken, table] of ['lake.one', 'lake.two'].entries()) {
    const broken = await start(document({ requires_approval: true, taken }));
    const waits = await atGate(broken);
    const row = `select -1::integer as id, 1::integer as delay, 'guest' as who, 'x' as note, 1::integer as taken`;
    await tables.lake.load(table, row, { schemaEvolution: 'add_columns' });
    before = await tables.states();
    expect((await service.call('POST', `/v1/pipelines/workflows/${waits.workflowId}/signal`, yes)).status).toBe(202);
    const over = await ended(broken);
    expect(over, table).toMatchObject({ status: 'ROLLED_BACK', reason: expect.stringContaining('taken') as string });
    await allAsBefore();
  }

  const refused = await start(document({ requires_approval: true }));
  const asked = await atGate(refused);
  const no = { name: 'approval', data: { approved: false } };
  await service.call('POST', `/v1/pipelines/workflows/${asked.workflowId}/signal`, no);
  expect(await ended(refused)).toMatchObject({ status: 'CANCELLED', reason: 'Rejected by local' });
  await allAsBefore();
}, 120_000);

test('a migration, when one of its tables cannot be backed up, changes none', async () => {
  await tables.db.query('alter table pipeline_migrations rename to kept; create table pipeline_migrations (none int)');
  try {
    const over = await endedWithoutBackoff(await start(document()));
    expect(over.status, JSON.stringify(over)).toBe('ROLLED_BACK');
    expect(over.steps.filter(({ step, attempts }) => step.startsWith('apply:') && attempts > 0)).toEqual([]);
    await allAsBefore();
  } finally {
    await tables.db.query('drop table pipeline_migrations; alter table kept rename to pipeline_migrations');
  }
}, 120_000);

test('a migration, when it is cancelled while it waits for a lock, puts back what it had changed', async () => {
  const { default: pg } = await import('pg');
  const holder = new pg.Client({ connectionString: tables.server.url });
  await holder.connect();
  try {
    await holder.query('begin; lock table three in row exclusive mode');
    const id = await start(document());
    const { workflowId } = await until(id, ({ steps }) =>
      steps.some(({ step, status }) => step === 'apply:three' && status === 'RUNNING'),
    );
    // Rows of others in the wider type of a table that was changed already.
    const told = () => tables.written.get('lake.one')?.length ?? 0;
    const most = told() + 1;
    await expect.poll(told, { timeout: 30_000 }).toBeGreaterThan(most);
    const enough = { name: 'cancellation', data: { reason: 'enough' } };
    await service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, enough);
    await until(id, ({ steps }) => steps.some(({ step }) => step === 'restore:three'));
    await holder.query('commit');
    expect(await ended(id)).toMatchObject({ status: 'CANCELLED', reason: 'enough' });
  } finally {
    await holder.end();
  }
  await allAsBefore();
  const { snapshots } = await tables.lake.metadata('lake.one');
  expect(snapshots?.map(({ summary }) => summary.operation)).toContain('replace');
}, 120_000);

test('a migration, when the service is killed on its way, ends COMPLETED or ROLLED_BACK, and never between', async () => {
  // Each fails in the end, so that every kill finds the tables as they were at first.
  const failing = { 2: 'select * from three where id < 3' };
  for (const [at, verb] of (['validate', 'backup', 'verify', 'restore', 'release'] as const).entries()) {
    const id = await start(document({ failing }));
    await begun(id, verb);
    await new Promise((resolve) => setTimeout(resolve, randomInt(40)));
    await service.kill(at % 3 === 2 ? 'everything' : 'service');
    await service.start();
    const over = await endedWithoutBackoff(id);
    expect(over.status, `killed at ${verb}: ${JSON.stringify(over)}`).toBe('ROLLED_BACK');
    await allAsBefore();
  }
  // And one that completes.
  const id = await start(document());
  await begun(id, 'apply');
  await service.kill('service');
  await service.start();
  const completed = await ended(id);
  expect(completed.status, JSON.stringify(completed)).toBe('COMPLETED');
  expect(await tables.lost()).toEqual([]);
  const { one, two, three } = await tables.states();
  expect(one?.columns.join()).toContain('"minutes"');
  expect(two?.columns.join()).not.toContain('"note"');
  expect(three?.columns.filter((column) => /^(delay|seen|note) /.test(column))).toEqual([
    'delay bigint t 0',
    'seen boolean f false',
  ]);
  const { rows } = await tables.db.query(`select count(*)::int as rows from three where who = 'own'`);
  expect(rows).toEqual([{ rows: 200 }]);
}, 300_000);
