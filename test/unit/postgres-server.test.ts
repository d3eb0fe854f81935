import { existsSync } from 'node:fs';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

const started: PostgresServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows[0];
  } finally {
    await client.end();
  }
}

test('two PostgreSQL servers, when started at once, are two databases of their own', async () => {
  const [one, other] = await Promise.all([startPostgres(), startPostgres()]);
  started.push(one, other);
  await ask(one.url, "create table t as select 'é' as v");
  expect(await ask(one.url, 'select v from t')).toEqual({ v: 'é' });
  await expect(ask(other.url, 'select v from t')).rejects.toThrow('does not exist');
});

test('a PostgreSQL server, when asked with a wrong password, refuses', async () => {
  const server = await startPostgres();
  started.push(server);
  const wrong = new URL(server.url);
  wrong.password = 'wrong';
  await expect(ask(wrong.href, 'select 1')).rejects.toThrow('password authentication failed');
});

test('a PostgreSQL server, when stopped, is gone with its folder', async () => {
  const server = await startPostgres();
  started.push(server);
  const row = await ask(server.url, "select current_setting('data_directory') as folder");
  const folder = (row as { folder: string }).folder;
  expect(existsSync(folder)).toBe(true);
  await server.stop();
  expect(existsSync(folder)).toBe(false);
  await expect(ask(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED');
});
