/** Opening the store, and what it says when its database is away. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { connectPostgres } from '../../../src/store/connect-postgres.ts';
import { openStore, storeOn } from '../../../src/store/store.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { newPipeline } from './store-fixtures.ts';

const PATIENCE_MS = 180_000;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, PATIENCE_MS);
afterAll(() => server.stop(), PATIENCE_MS);

async function newDatabase(name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  return server.url.replace(/\/postgres$/, `/${name}`);
}

/** Between the store and its server: passes everything on until it is told to hold it back. */
async function startProxy(url: string) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let holding = false;
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => !holding && to.write(chunk));
      from.on('close', () => to.destroy());
      from.on('error', () => undefined);
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: url.replace(`:${port}/`, `:${(proxy.address() as AddressInfo).port}/`),
    hold: () => {
      holding = true;
    },
    async end() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

async function timed(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const begunMs = performance.now();
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, ms: performance.now() - begunMs };
}

const AWAY = { code: 'SERVICE_UNAVAILABLE' };

test(
  'A folder, when its making was killed half way, is made anew; when it is opened again, it has what was written',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-opening-'));
    onTestFinished(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 }));
    const registry = path.join(folder, 'data', 'registry');
    await mkdir(`${registry}.unfinished`, { recursive: true });
    await writeFile(path.join(`${registry}.unfinished`, 'PG_VERSION'), '18');

    const first = await openStore({ folder: registry });
    const created = await first.pipelines.create(newPipeline());
    const key = { tenant: 'default', method: 'POST', path: '/', key: 'k', bodySha256: 'b' };
    const begun = await first.idempotency.begin({ ...key, owner: 'one' });
    await first.close();

    const second = await openStore({ folder: registry });
    expect(await second.pipelines.find('default', created.name)).toEqual(created);
    // Whoever held the lease is gone: its work is taken over at once.
    expect(await second.idempotency.begin({ ...key, owner: 'two' })).toEqual(begun);
    await second.close();
  },
  PATIENCE_MS,
);

test('A folder, when it cannot be one, is refused with its name', async () => {
  await expect(openStore({ folder: '/dev/null/registry' })).rejects.toThrow(/database in \/dev\/null\/registry: /);
});

test(
  'A new database, when several processes open it at once, gets its tables once',
  async () => {
    const url = await newDatabase('raced');
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore({ url })));
    await Promise.all(stores.map((store) => store.ping()));
    const created = await stores[0]?.pipelines.create(newPipeline());
    expect(await stores[3]?.pipelines.find('default', created?.pipelineId ?? '')).toEqual(created);
    await Promise.all(stores.map((store) => store.close()));
  },
  PATIENCE_MS,
);

test('A URL, when nobody listens there or it is none, is refused with the variable and the reason, not the password', async () => {
  const nobody = await timed(openStore({ url: 'postgres://user:s3cret@localhost:1/none' }));
  expect(nobody.error).toMatchObject(AWAY);
  expect(String(nobody.error)).toMatch(/DATABASE_URL: .*ECONNREFUSED/);
  expect(String(nobody.error)).not.toContain('s3cret');
  await expect(openStore({ url: 'postgres://[' })).rejects.toThrow(/DATABASE_URL/);
  await expect(openStore({ url: server.url.replace(/:[^:@]+@/, ':wrong@') })).rejects.toThrow(/password/);
});

test(
  'The store, when its connections are cut, says so and goes on with new ones',
  async () => {
    const connection = await connectPostgres(server.url);
    const { database } = connection;
    const store = storeOn(connection);
    const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'pipeline-service' and pid <> pg_backend_pid()`;
    const own = sql`select pg_terminate_backend(pg_backend_pid())`;
    await Promise.all([store.ping(), store.ping(), store.ping()]);
    await database.execute(cut);
    await expect(database.transaction((tx) => tx.execute(own))).rejects.toThrow();
    // Connections that were idle may be found dead once.
    await timed(store.ping());
    await store.ping();
    await store.transaction(({ pipelines }) => pipelines.create(newPipeline()));
    await store.close();
    expect((await timed(store.ping())).error).toMatchObject(AWAY);
    expect((await timed(store.transaction(({ audit }) => audit.append()))).error).toMatchObject(AWAY);
  },
  PATIENCE_MS,
);

test(
  'The store, when its server stops answering, says so within 2 s, in a query, at the start of a transaction and midway',
  async () => {
    const proxy = await startProxy(await newDatabase('held'));
    const store = await openStore({ url: proxy.url });
    await Promise.all([store.ping(), store.ping(), store.ping()]);
    const held = Promise.withResolvers<undefined>();
    const midway = timed(
      store.transaction(async ({ pipelines }) => {
        await pipelines.list('default', { page: 0, size: 1 });
        proxy.hold();
        held.resolve(undefined);
        await pipelines.create(newPipeline());
      }),
    );
    await held.promise;
    const outcomes = await Promise.all([
      midway,
      timed(store.ping()),
      timed(store.transaction(({ pipelines }) => pipelines.create(newPipeline()))),
      timed(store.pipelines.list('default', { page: 0, size: 1 })),
    ]);
    for (const { error, ms } of outcomes) {
      expect(error).toMatchObject(AWAY);
      expect(ms).toBeLessThan(8_000);
    }
    await Promise.all([store.close(), proxy.end()]);
  },
  PATIENCE_MS,
);

test(
  'A statement, when it waits for a lock that nobody gives back, is given up, and its connection is good again',
  async () => {
    const url = await newDatabase('locked');
    const store = await openStore({ url });
    const created = await store.pipelines.create(newPipeline());
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('begin; lock table pipelines');
    const [reading, updating] = await Promise.all([
      timed(store.pipelines.find('default', created.name)),
      timed(store.pipelines.update({ ...newPipeline({ name: created.name }), idOrName: created.name })),
    ]);
    for (const { error, ms } of [reading, updating]) {
      expect(error).toMatchObject(AWAY);
      expect(ms).toBeLessThan(8_000);
    }
    const waiting = await other.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
    expect(waiting.rowCount).toBe(0);
    await other.query('rollback');
    expect(await store.pipelines.find('default', created.name)).toEqual(created);
    await other.end();
    await store.close();
  },
  PATIENCE_MS,
);
