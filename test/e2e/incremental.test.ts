/** Incremental sources on the whole service: whatever fails between two sinks, no row is lost and none is there twice. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../scripts/read-table.ts';
import { Service } from '../support/service.ts';

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
  document: (column?: string) => object;
  table: string;
  add: (from: number, to: number) => void;
  /** Whether the second sink can be written. */
  folder: string;
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
    document: (column = 'id') => ({
      name,
      version: '1',
      definition: {
        sources: { t: { type: 'jdbc', connection: `sqlite:${database}`, table: 't', watermark_column: column } },
        sinks: {
          lake: { type: 'iceberg', from: 't', table },
          file: { type: 'file', from: 't', path: join(folder, 'out.csv'), format: 'csv' },
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
  // A file where the sink's folder should be: only that sink fails.
  await rm(folder, { recursive: true });
  await writeFile(folder, '');
  const failed = await run(name);
  expect(failed.status).toBe('FAILED');
  expect(await ids(table)).toEqual({ rows: 100, ids: 100 });

  add(100, 150);
  expect(await retry(failed.executionId, { fromStep: 'extract' })).toMatchObject({
    status: 409,
    body: { error: { code: 'CONFLICT' } },
  });
  const fresh = await run(name);
  expect(fresh.status).toBe('FAILED');
  expect(fresh.result?.reason).toContain(failed.executionId);

  await rm(folder);
  await mkdir(folder);
  const retried = await retry(failed.executionId);
  expect(retried.status).toBe(202);
  expect((await service.ended(retried.body['workflowId'] as string)).status).toBe('COMPLETED');
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
