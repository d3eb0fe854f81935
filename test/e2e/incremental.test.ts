/** Incremental sources on the whole service: whatever fails between two sinks, no row is lost and none is there twice. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PGlite } from '@electric-sql/pglite';
import { readTable } from '../../scripts/read-table.ts';
import { Service } from '../support/service.ts';

/** Of tests that stop and start the whole service. */
const RESTARTED_TEST_MS = 400_000;

let service: Service;
let names = 0;

beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

interface Incremental {
  name: string;
  /** `sides`: further sources and transformations, and what the sinks load instead of `t`. */
  document: (column?: string, sides?: Sides) => object;
  table: string;
  add: (from: number, to: number) => void;
  /** Whether the second sink can be written. */
  folder: string;
}

interface Sides {
  sources?: object;
  transformations?: object[];
  from?: string;
}

/** A SQLite table of numbers, read from its watermark on, into an Iceberg table and into a file. */
async function incremental(): Promise<Incremental> {
  names += 1;
  const database = join(service.folder, `source-${names}.db`);
  const folder = join(service.folder, `sink-${names}`);
  await mkdir(folder);
  const sqlite = new DatabaseSync(database);
  sqlite.exec('create table t (id integer primary key, seen text)');
  const name = `incremental-${names}`;
  const table = `incremental.t${names}`;
  const once = { max_attempts: 1 };
  return {
    name,
    table,
    folder,
    add(from, to) {
      const insert = sqlite.prepare('insert into t values (?, ?)');
      for (let id = from; id < to; id += 1) insert.run(id, `2024-01-01 00:00:${String(id % 60).padStart(2, '0')}`);
    },
    document: (column = 'id', { sources, transformations, from = 't' }: Sides = {}) => ({
      name,
      version: '1',
      definition: {
        sources: {
          t: { type: 'jdbc', connection: `sqlite:${database}`, table: 't', watermark_column: column },
          ...sources,
        },
        ...(transformations && { transformations }),
        sinks: {
          lake: { type: 'iceberg', from, table },
          file: { type: 'file', from, path: join(folder, 'out.csv'), format: 'csv' },
        },
        orchestration: { retry: { write_file: once, extract_data: once } },
      },
    }),
  };
}

const run = async (name: string) => {
  const { workflowId, executionId } = await service.execute(name);
  return { ...(await service.ended(workflowId)), executionId };
};
const ids = async (table: string) => {
  const [counted] = await readTable(
    service.dataDir,
    table,
    't',
    'select count(*)::int as rows, count(distinct id)::int as ids from t',
  );
  return counted;
};
const retry = (executionId: string, body = {}) =>
  service.call('POST', `/v1/pipelines/executions/${executionId}/retry`, body);

/** A file where the sink's folder should be: only that sink fails. */
async function breakFileSink(folder: string): Promise<void> {
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 });
  await writeFile(folder, '');
}
async function mendFileSink(folder: string): Promise<void> {
  await rm(folder);
  await mkdir(folder);
}
const retried = async (executionId: string, body = {}) => {
  const started = await retry(executionId, body);
  expect(started).toMatchObject({ status: 202 });
  return service.ended(started.body['workflowId'] as string);
};
const fileRows = async (folder: string) =>
  (await readFile(join(folder, 'out.csv'), 'utf8')).trim().split('\n').length - 1;
/** As it is seven days after a run that did not complete. */
const expireStaging = () => rm(join(service.dataDir, 'staging'), { recursive: true });

/** What the record of a step is after a run that was ended in the instant between its commit and its record. */
async function forgetLoad(executionId: string, step: string): Promise<void> {
  await service.stop();
  const registry = await PGlite.create({ dataDir: join(service.dataDir, 'registry') });
  const { affectedRows } = await registry.query(
    "update run_steps set status = 'CANCELLED', attempt_token = null, result = null where execution_id = $1 and step = $2",
    [executionId, step],
  );
  expect(affectedRows).toBe(1);
  await registry.close();
  await service.start();
}

test('an incremental pipeline, when it runs again, loads only what is new', async () => {
  const { name, document, table, add } = await incremental();
  await service.register(document());
  add(0, 100);
  expect((await run(name)).status).toBe('COMPLETED');
  expect((await run(name)).status).toBe('COMPLETED');
  add(100, 130);
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 130, ids: 130 });
});

test('a run, when one of two sinks failed, is retried without reading anew, and no other run reads its rows meanwhile', async () => {
  const { name, document, table, add, folder } = await incremental();
  await service.register(document());
  add(0, 100);
  await breakFileSink(folder);
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  expect(await ids(table)).toEqual({ rows: 100, ids: 100 });

  add(100, 150);
  const fresh = await run(name);
  expect(fresh.status).toBe('FAILED');
  expect(fresh.result?.reason).toContain(failed.executionId);

  await mendFileSink(folder);
  expect((await retried(failed.executionId)).status).toBe('COMPLETED');
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 150, ids: 150 });
});

test('an incremental source, when a new revision reads it by another column, refuses in words', async () => {
  const { name, document, add } = await incremental();
  await service.register(document());
  add(0, 10);
  expect((await run(name)).status).toBe('COMPLETED');
  expect((await service.call('PUT', `/v1/pipelines/${name}`, document('seen'))).status).toBe(200);
  const refused = await run(name);
  expect(refused.status).toBe('FAILED');
  expect(refused.result?.reason).toMatch(/t was read by id so far/);
});

test('a partly loaded run, when its staged data is gone, reads exactly its rows again in a retry', async () => {
  const { name, document, table, add, folder } = await incremental();
  await service.register(document());
  add(0, 100);
  expect((await run(name)).status).toBe('COMPLETED');
  add(100, 150);
  await breakFileSink(folder);
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  await expireStaging();
  add(150, 180);
  expect((await run(name)).result?.reason).toContain(failed.executionId);

  await mendFileSink(folder);
  expect(await retried(failed.executionId)).toMatchObject({ status: 'COMPLETED' });
  expect(await fileRows(folder)).toBe(50);
  expect(await ids(table)).toEqual({ rows: 150, ids: 150 });
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 180, ids: 180 });
});

test('a partly loaded run, when its first reading met no row, reads none in a retry', async () => {
  const { name, document, table, add, folder } = await incremental();
  await service.register(document());
  await breakFileSink(folder);
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  add(0, 20);
  await mendFileSink(folder);
  expect((await retried(failed.executionId, { fromStep: 'extract' })).status).toBe('COMPLETED');
  expect(await fileRows(folder)).toBe(0);
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 20, ids: 20 });
});

test(
  'a commit that nobody recorded, when another run or a retry from extract follows, is found in its table',
  async () => {
    const { name, document, table, add, folder } = await incremental();
    await service.register(document());
    add(0, 100);
    await breakFileSink(folder);
    const failed = await run(name);
    await forgetLoad(failed.executionId, 'load:lake');
    add(100, 150);
    const fresh = await run(name);
    expect(fresh.status).toBe('FAILED');
    expect(fresh.result?.reason).toContain(failed.executionId);

    await mendFileSink(folder);
    expect((await retried(failed.executionId, { fromStep: 'extract' })).status).toBe('COMPLETED');
    expect(await fileRows(folder)).toBe(100);
    expect((await run(name)).status).toBe('COMPLETED');
    expect(await ids(table)).toEqual({ rows: 150, ids: 150 });
  },
  RESTARTED_TEST_MS,
);

test('a load that began and committed nothing, when another run follows, holds nobody up', async () => {
  const { name, document, table, add, folder } = await incremental();
  await service.register(document());
  add(0, 10);
  await breakFileSink(folder);
  const alone = document() as { definition: { sinks: { lake?: object } } };
  delete alone.definition.sinks.lake;
  expect((await service.call('PUT', `/v1/pipelines/${name}`, alone)).status).toBe(200);
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  await mendFileSink(folder);
  expect((await service.call('PUT', `/v1/pipelines/${name}`, document())).status).toBe(200);
  expect((await run(name)).status).toBe('COMPLETED');
  // Its rows are where they belong by now; what it would read today are others.
  expect((await retried(failed.executionId)).status).toBe('COMPLETED');
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 10, ids: 10 });
});

test('a partly loaded run, when another source of it has no watermark, is read again only when somebody says so', async () => {
  const { name, document, table, add, folder } = await incremental();
  const names = join(service.folder, `${name}.csv`);
  await writeFile(names, 'parity,word\n0,even\n1,odd\n');
  const joined = { name: 'named', engine: 'sql', sql: 'select t.id, n.word from t join n on t.id % 2 = n.parity' };
  await service.register(
    document('id', {
      sources: { n: { type: 'file', path: names, format: 'csv' } },
      transformations: [joined],
      from: 'named',
    }),
  );
  add(0, 100);
  await breakFileSink(folder);
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  await expireStaging();
  add(100, 150);
  await mendFileSink(folder);
  const refused = await retry(failed.executionId);
  expect(refused.status).toBe(409);
  expect(refused.body.error?.message).toMatch(/n would be read as it is now.*fromStep extract/);
  expect((await retried(failed.executionId, { fromStep: 'extract' })).status).toBe('COMPLETED');
  expect(await fileRows(folder)).toBe(100);
  expect((await run(name)).status).toBe('COMPLETED');
  expect(await ids(table)).toEqual({ rows: 150, ids: 150 });
});

test(
  'a commit that nobody recorded, when a source without watermark would be read anew, is not hidden behind other rows',
  async () => {
    const { name, document, add, folder } = await incremental();
    add(0, 10);
    const whole = document() as { definition: { sources: { t: { watermark_column?: string } } } };
    delete whole.definition.sources.t.watermark_column;
    await service.register(whole);
    await breakFileSink(folder);
    const failed = await run(name);
    await forgetLoad(failed.executionId, 'load:lake');
    add(10, 15);
    await mendFileSink(folder);
    const refused = await retried(failed.executionId, { fromStep: 'extract' });
    expect(refused.status).toBe('FAILED');
    expect(refused.result?.reason).toMatch(/load:lake has committed what execution .* read/);
    expect((await retried(failed.executionId)).status).toBe('COMPLETED');
  },
  RESTARTED_TEST_MS,
);

/** The same pipeline behind a gate that always opens. */
function gated(document: object): object {
  const { definition } = document as { definition: object };
  const checks = [{ source: 't', type: 'row_count', max: 0 }];
  return { ...document, definition: { ...definition, quality_checks: { checks } } };
}
const atItsGate = async (workflowId: string) => {
  await service.until(workflowId, ({ pendingSignals }) => pendingSignals.includes('approval'));
};
const tell = (workflowId: string, name: string, data: object) =>
  service.call('POST', `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`, { name, data });
const approved = async (workflowId: string) => {
  await atItsGate(workflowId);
  expect(await tell(workflowId, 'approval', { approved: true })).toMatchObject({ status: 202 });
  return service.ended(workflowId);
};
const cancelledAtItsGate = async (name: string) => {
  const { workflowId, executionId } = await service.execute(name);
  await atItsGate(workflowId);
  await tell(workflowId, 'cancellation', {});
  expect(await service.ended(workflowId)).toMatchObject({ status: 'CANCELLED' });
  return executionId;
};

test('a retry that waits behind another run, when that one has loaded the rows, loads them no second time', async () => {
  const { name, document, table, add } = await incremental();
  await service.register(gated(document()));
  add(0, 100);
  const cancelled = await cancelledAtItsGate(name);
  const fresh = await service.execute(name);
  await atItsGate(fresh.workflowId);
  const waiting = (await retry(cancelled)).body['workflowId'] as string;
  expect(await approved(fresh.workflowId)).toMatchObject({ status: 'COMPLETED' });
  const late = await approved(waiting);
  expect(late).toMatchObject({ status: 'FAILED' });
  expect(late.result?.reason).toMatch(/another run has loaded t from this watermark on since/);
  expect(await ids(table)).toEqual({ rows: 100, ids: 100 });
});

test('a retry of a run that loaded nothing, when another one has loaded its rows partly, loads them no second time', async () => {
  const { name, document, table, add, folder } = await incremental();
  await service.register(gated(document()));
  add(0, 100);
  const cancelled = await cancelledAtItsGate(name);
  await breakFileSink(folder);
  const fresh = await service.execute(name);
  expect(await approved(fresh.workflowId)).toMatchObject({ status: 'FAILED' });
  await mendFileSink(folder);
  const late = await approved((await retry(cancelled)).body['workflowId'] as string);
  expect(late).toMatchObject({ status: 'FAILED' });
  expect(late.result?.reason).toContain(fresh.executionId);
  expect(await retried(fresh.executionId)).toMatchObject({ status: 'COMPLETED' });
  expect(await ids(table)).toEqual({ rows: 100, ids: 100 });
});

test('an incremental source, when no row has a watermark, refuses in words; an interval is refused at the start', async () => {
  const { name, document, add } = await incremental();
  add(0, 3);
  const { definition, ...rest } = document('missing') as { definition: { sources: { t: Record<string, unknown> } } };
  definition.sources.t['query'] = 'select id, cast(null as integer) as missing from t';
  delete definition.sources.t['table'];
  await service.register({ ...rest, definition: { ...definition, partitioning: { column: 'seen', size: 'day' } } });
  const refused = await run(name);
  expect(refused.status).toBe('FAILED');
  expect(refused.result?.reason).toMatch(/no row has a value in missing/);
  const interval = { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z' };
  const bad = await service.call('POST', `/v1/pipelines/${name}/execute`, { interval });
  expect(bad).toMatchObject({ status: 400, body: { error: { details: [{ path: 'interval' }] } } });
});
