import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engines/dataset.ts';
import { findLoads } from '../../../src/engines/sinks/postgres-ledger.ts';
import { locateTable } from '../../../src/engines/sinks/postgres-table.ts';
import { loadToPostgres, type PostgresLoad, type PostgresLoaded } from '../../../src/engines/sinks/postgres-sink.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres-server.ts';

let fixture: EngineFixture;
let server: PostgresServer;
let admin: pg.Client;
let loads = 0;

beforeAll(async () => {
  [fixture, server] = await Promise.all([EngineFixture.create(), startPostgres()]);
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await Promise.all([fixture.dispose(), server.stop()]);
});

type LoadOptions = Partial<Omit<PostgresLoad, 'input'>>;
async function load(
  table: string,
  select: string,
  options: LoadOptions = {},
  context?: EngineContext,
): Promise<PostgresLoaded> {
  loads += 1;
  const request: PostgresLoad = {
    input: await fixture.dataset(select),
    connectionUrl: server.url,
    table,
    mode: 'append',
    mergeKeys: [],
    loadName: `run-${loads}/out`,
    ...options,
  };
  return loadToPostgres(fixture.engine, request, context ?? fixture.context);
}
async function query(sql: string): Promise<unknown[]> {
  return (await admin.query<Record<string, unknown>>(sql)).rows;
}
const ledgerOf = (loadName: string) =>
  query(`SELECT rows, table_name FROM pipeline_loads WHERE load_name = '${loadName}'`);

describe('a load', () => {
  test('of every type, when the table is missing, makes it and keeps every value', async () => {
    const loaded = await load(
      'kinds',
      `SELECT * FROM (VALUES (
        1::TINYINT, 2::SMALLINT, 3::INTEGER, 9223372036854775807::BIGINT, 18446744073709551615::UBIGINT, 0.1::FLOAT,
        0.1::DOUBLE, 12345678901234567.89::DECIMAL(20,2), true, 'a,b "c" \\ ' || chr(10) || ' Ω🙂', ''::VARCHAR,
        '00000000-0000-0000-0000-000000000001'::UUID, DATE '0044-03-15 (BC)', TIME '23:59:59.999999',
        TIMESTAMP '2001-01-01 10:00:00.123456', TIMESTAMPTZ '2001-01-01 10:00:00.123456+09', '\\x00\\xFF'::BLOB,
        [1, NULL, 3], ['a,b', 'c"d\\e', '', NULL, 'NULL']::VARCHAR[], []::DATE[], {'k': [1], 't': 'x'}, [{'k': 1}],
        MAP {'m': 1}, ['\\x01'::BLOB], [1.10::DECIMAL(4,2)], 'a'::ENUM('a', 'b')
      ), (
        NULL, NULL, NULL, NULL, NULL, 'NaN', '-Infinity', NULL, NULL, '\\.', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
      )) AS t(i1, i2, i4, i8, u8, f4, f8, n, b, t, e, id, d, ti, ts, tz, raw, ai, txt, ad, s, ls, m, ab, an, en)`,
    );
    expect(loaded).toMatchObject({ rows: 2, alreadyCommitted: false });
    expect(loaded.bytes).toBeGreaterThan(0);
    const types = await query(
      `SELECT attname || ' ' || format_type(atttypid, atttypmod) AS c FROM pg_attribute WHERE attrelid = 'kinds'::regclass AND attnum > 0 ORDER BY attnum`,
    );
    expect(types.map((row) => (row as { c: string }).c).join(', ')).toBe(
      'i1 smallint, i2 smallint, i4 integer, i8 bigint, u8 numeric(20,0), f4 real, f8 double precision, n numeric(20,2), b boolean, t text, e text, id uuid, d date, ti time without time zone, ts timestamp without time zone, tz timestamp with time zone, raw bytea, ai integer[], txt text[], ad date[], s jsonb, ls jsonb, m jsonb, ab bytea[], an numeric(4,2)[], en text',
    );
    await admin.query("SET TimeZone = 'UTC'");
    const [first, second] = await query(
      `SELECT i8::text, u8::text, f4, f8, n::text, t, e, id, d::text, ti::text, ts::text, tz::text, encode(raw, 'hex') AS raw, ai::text, txt, ad::text, s, ls, m, ab::text, an::text, en, b FROM kinds ORDER BY i1`,
    );
    expect(first).toEqual({
      i8: '9223372036854775807',
      u8: '18446744073709551615',
      f4: 0.1,
      f8: 0.1,
      n: '12345678901234567.89',
      t: 'a,b "c" \\ \n Ω🙂',
      e: '',
      id: '00000000-0000-0000-0000-000000000001',
      d: '0044-03-15 BC',
      ti: '23:59:59.999999',
      ts: '2001-01-01 10:00:00.123456',
      tz: '2001-01-01 01:00:00.123456+00',
      raw: '00ff',
      ai: '{1,NULL,3}',
      txt: ['a,b', 'c"d\\e', '', null, 'NULL'],
      ad: '{}',
      s: { k: [1], t: 'x' },
      ls: [{ k: 1 }],
      m: { m: 1 },
      ab: '{"\\\\x01"}',
      an: '{1.10}',
      en: 'a',
      b: true,
    });
    expect(second).toMatchObject({ i8: null, f4: NaN, f8: -Infinity, t: '\\.', e: null, s: null, txt: null });
  });

  test('of no rows, when the table is missing, makes the table', async () => {
    expect(await load('nothing', "SELECT 1 AS a, 'x' AS b WHERE false")).toMatchObject({ rows: 0 });
    expect(await query('SELECT * FROM nothing')).toEqual([]);
  });

  test('of one column, when it is NULL, is a row', async () => {
    await load('single', 'SELECT NULL::INTEGER AS a UNION ALL SELECT 1');
    expect(await query('SELECT count(*)::int AS n, count(a)::int AS a FROM single')).toEqual([{ n: 2, a: 1 }]);
  });

  test('of many rows, when they take several batches, arrives whole', async () => {
    const loaded = await load('many', "SELECT range AS id, 'name ' || range AS name FROM range(400000)");
    expect(loaded.rows).toBe(400_000);
    expect(loaded.bytes).toBeGreaterThan(8 * 1024 * 1024);
    expect(await query('SELECT count(DISTINCT id)::int AS n, sum(id)::text AS s FROM many')).toEqual([
      { n: 400_000, s: '79999800000' },
    ]);
  });

  test('into a schema, when names have capitals and quotes, takes them as they are written', async () => {
    await admin.query('CREATE SCHEMA "Sales"');
    await load('Sales.Net "total"', 'SELECT 1 AS "A b"');
    expect(await query('SELECT * FROM "Sales"."Net ""total"""')).toEqual([{ 'A b': 1 }]);
    expect(await query('SELECT table_name FROM "Sales".pipeline_loads')).toEqual([{ table_name: 'Net "total"' }]);
  });
});

describe('mode', () => {
  test('append, when loads follow each other, adds their rows', async () => {
    await load('appended', 'SELECT 1 AS id');
    await load('appended', 'SELECT 2 AS id');
    expect(await query('SELECT id FROM appended ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('overwrite, when a reader is in the middle, replaces all rows and lets it read on', async () => {
    await load('replaced', 'SELECT 1 AS id');
    const reader = new pg.Client({ connectionString: server.url });
    await reader.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT * FROM replaced');
    await load('replaced', 'SELECT 2 AS id', { mode: 'overwrite' });
    expect((await reader.query('SELECT id FROM replaced')).rows).toEqual([{ id: 1 }]);
    await reader.end();
    expect(await query('SELECT id FROM replaced')).toEqual([{ id: 2 }]);
  });

  test('overwrite, when two loads do it at once, leaves the rows of one', async () => {
    await load('contested', 'SELECT 0 AS id');
    const rows = (n: number) => `SELECT ${n} AS id FROM range(20000)`;
    await Promise.all([1, 2, 3].map((n) => load('contested', rows(n), { mode: 'overwrite' })));
    expect(await query('SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids FROM contested')).toEqual([
      { n: 20_000, ids: 1 },
    ]);
  });

  test('merge, when keys are there already, updates those rows and adds the others, without an index', async () => {
    await load('merged', "SELECT * FROM (VALUES (1, 'a', 'one'), (1, 'b', 'two'), (2, 'a', 'three')) t(k, l, v)");
    const keys = { mode: 'merge' as const, mergeKeys: ['k', 'l'] };
    const loaded = await load('merged', "SELECT * FROM (VALUES ('new', 1, 'b'), ('more', 3, 'c')) t(v, k, l)", keys);
    expect(loaded.rows).toBe(2);
    expect(await query('SELECT k, l, v FROM merged ORDER BY k, l')).toEqual([
      { k: 1, l: 'a', v: 'one' },
      { k: 1, l: 'b', v: 'new' },
      { k: 2, l: 'a', v: 'three' },
      { k: 3, l: 'c', v: 'more' },
    ]);
    await load('merged', "SELECT 3 AS k, 'c' AS l", keys);
    expect(await query('SELECT v FROM merged WHERE k = 3')).toEqual([{ v: 'more' }]);
  });

  test.each([
    [[], 'SELECT 1 AS k', /needs merge_keys/],
    [['gone'], 'SELECT 1 AS k', /merge_keys names gone/],
    [['k'], 'SELECT 1 AS k UNION ALL SELECT 1', /two rows have the same k/],
    [['k'], 'SELECT NULL::INTEGER AS k', /no value in k/],
  ])('merge, when its keys are %j of %s, fails and writes nothing', async (mergeKeys, select, message) => {
    await admin.query('CREATE TABLE IF NOT EXISTS unmerged (k integer)');
    await expect(load('unmerged', select, { mode: 'merge', mergeKeys })).rejects.toMatchObject({
      type: 'ValidationError',
      message: expect.stringMatching(message) as string,
    });
    expect(await query('SELECT * FROM unmerged')).toEqual([]);
  });
});

describe('exactly once', () => {
  test('a load, when it is done again, changes nothing and tells what was loaded', async () => {
    const first = await load('once', 'SELECT 1 AS id UNION ALL SELECT 2', { loadName: 'once/out' });
    const again = await load('once', 'SELECT 1 AS id UNION ALL SELECT 2', { loadName: 'once/out' });
    expect(again).toEqual({ ...first, alreadyCommitted: true });
    expect(await query('SELECT count(*)::int AS n FROM once')).toEqual([{ n: 2 }]);
    expect(await ledgerOf('once/out')).toEqual([{ rows: '2', table_name: 'once' }]);
  });

  test('a column without any value, when the table has another type there, fits it', async () => {
    await admin.query(
      'CREATE TABLE typed (id integer, n numeric, at timestamptz, ok boolean, tags integer[], j jsonb)',
    );
    const nothing = ['n', 'at', 'ok', 'tags', 'j'].map((name) => `NULL::VARCHAR AS ${name}`).join(', ');
    expect(await load('typed', `SELECT 1 AS id, ${nothing}`)).toMatchObject({ rows: 1 });
    expect(await query('SELECT * FROM typed')).toEqual([{ id: 1, n: null, at: null, ok: null, tags: null, j: null }]);
    await expect(load('typed', "SELECT 1 AS id, 'x' AS n")).rejects.toMatchObject({ type: 'SchemaConflictError' });
    await load('typeless', 'SELECT 1 AS id, NULL::VARCHAR AS v');
    await load('typeless', "SELECT 2 AS id, 'x' AS v");
  });

  test('loads, when they are looked for by name, are found in the table that has them', async () => {
    await load('searched', 'SELECT 1 AS id', { loadName: 'searched/out' });
    await load('searched_too', 'SELECT 1 AS id', { loadName: 'searched/too' });
    const names = ['searched/out', 'searched/too', 'searched/never'];
    const found = async (table: string) => findLoads(admin, await locateTable(admin, table), names);
    expect(await found('searched')).toEqual(new Set(['searched/out']));
    await admin.query('CREATE SCHEMA unloaded');
    expect(await found('unloaded.searched')).toEqual(new Set());
  });

  test('attempts, when several race from nothing, load once', async () => {
    const select = 'SELECT range AS id FROM range(30000)';
    const results = await Promise.all(
      Array.from({ length: 4 }, () => load('Race.raced', select, { loadName: 'race/out' }).catch((e: unknown) => e)),
    );
    expect(results).toEqual(results.map(() => expect.objectContaining({ type: 'ValidationError' }) as unknown));
    await admin.query('CREATE SCHEMA "Race"');
    const raced = await Promise.all(
      Array.from({ length: 4 }, () => load('Race.raced', select, { loadName: 'race/out' })),
    );
    expect(raced.filter((one) => !one.alreadyCommitted)).toHaveLength(1);
    expect(raced.map(({ rows }) => rows)).toEqual([30_000, 30_000, 30_000, 30_000]);
    expect(await query('SELECT count(*)::int AS n FROM "Race".raced')).toEqual([{ n: 30_000 }]);
  });

  test.each([
    ['ROLLBACK', 1, false],
    ['COMMIT', 0, true],
  ])(
    'an attempt, when another holds the name and then does %s, waits and does what is left',
    async (end, rows, alreadyCommitted) => {
      await load('waited', 'SELECT 1 AS id WHERE false');
      const other = new pg.Client({ connectionString: server.url });
      await other.connect();
      await other.query('BEGIN');
      await other.query(`INSERT INTO pipeline_loads (load_name, table_name) VALUES ('waited/${end}', 'waited')`);
      const waiting = load('waited', 'SELECT 1 AS id', { loadName: `waited/${end}` });
      await untilActive('INSERT INTO');
      await other.query(end);
      await other.end();
      expect(await waiting).toMatchObject({ rows, alreadyCommitted });
    },
  );

  test('a load, when its connection is lost in the middle, leaves nothing, and the next attempt loads', async () => {
    await load('lost', 'SELECT 1::BIGINT AS id WHERE false');
    const select = 'SELECT range AS id FROM range(5000000)';
    const dying = load('lost', select, { loadName: 'lost/out' });
    const outcome = expect(dying).rejects.toMatchObject({ type: 'UnavailableError' });
    await untilActive('COPY');
    await query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()",
    );
    await outcome;
    expect(await query('SELECT count(*)::int AS n FROM lost')).toEqual([{ n: 0 }]);
    expect(await ledgerOf('lost/out')).toEqual([]);
    expect(await load('lost', 'SELECT 1 AS id', { loadName: 'lost/out' })).toMatchObject({
      rows: 1,
      alreadyCommitted: false,
    });
  });

  test('a load, when it is cancelled, is rolled back on the server', async () => {
    await load('cancelled', 'SELECT 1::BIGINT AS id WHERE false');
    const controller = new AbortController();
    const context = fixture.contextOf(controller.signal);
    const loading = load('cancelled', 'SELECT range AS id FROM range(5000000)', {}, context);
    const outcome = expect(loading).rejects.toThrow('the step was cancelled');
    await untilActive('COPY');
    controller.abort(new Error('the step was cancelled'));
    await outcome;
    expect(await query('SELECT count(*)::int AS n FROM cancelled')).toEqual([{ n: 0 }]);
    expect(
      await query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'"),
    ).toEqual([{ n: 0 }]);
  });
});

describe('a conflict', () => {
  test('of rows and table, when they differ, is told column by column and nothing is written', async () => {
    await admin.query(
      'CREATE TABLE strict (id integer NOT NULL, made timestamptz DEFAULT now(), amount integer, at timestamp, needed text NOT NULL)',
    );
    const select = 'SELECT \'x\' AS id, 1.5::DOUBLE AS amount, now() AS "at", 1 AS extra';
    await expect(load('strict', select, { loadName: 'strict/out' })).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message:
        'the rows do not fit public.strict: id is integer there and VARCHAR here; amount is integer there and DOUBLE here; at is timestamp without time zone there and TIMESTAMP WITH TIME ZONE here; the table has no column extra; needed needs a value',
    });
    expect(await ledgerOf('strict/out')).toEqual([]);
  });

  test('of a table that is wider, when what is missing has defaults, is none', async () => {
    await admin.query(`CREATE DOMAIN posint AS integer CHECK (VALUE > 0); CREATE TYPE colour AS ENUM ('red');
      CREATE TABLE wider (id serial, n posint, doc json, c colour, tags varchar(5)[], big numeric, code char(2), made date DEFAULT current_date)`);
    await load('wider', `SELECT 7::BIGINT AS n, '{"a":1}' AS doc, 'red' AS c, ['x'] AS tags, 1.5 AS big, 'ab' AS code`);
    expect(await query('SELECT id, n, doc, c, tags, big, code FROM wider')).toEqual([
      { id: 1, n: 7, doc: { a: 1 }, c: 'red', tags: ['x'], big: '1.5', code: 'ab' },
    ]);
    for (const select of [
      'SELECT -1 AS n',
      'SELECT 3000000000 AS n',
      "SELECT 'blue' AS c",
      "SELECT ['too long'] AS tags",
    ]) {
      await expect(load('wider', select)).rejects.toMatchObject({ type: 'ValidationError' });
    }
    expect(await query('SELECT count(*)::int AS n FROM wider')).toEqual([{ n: 1 }]);
  });

  test('of a name, when it is a view, or its schema is missing, or it is none, is told', async () => {
    await admin.query('CREATE VIEW looked AS SELECT 1 AS id');
    await expect(load('looked', 'SELECT 1 AS id')).rejects.toMatchObject({ type: 'UnsupportedError' });
    await expect(load('gone.t', 'SELECT 1 AS id')).rejects.toMatchObject({ type: 'ValidationError' });
    await expect(load('a.b.c', 'SELECT 1 AS id')).rejects.toMatchObject({ type: 'ValidationError' });
    await expect(load('t', 'SELECT 1 AS id', { connectionUrl: 'sqlite:x' })).rejects.toMatchObject({
      type: 'ValidationError',
    });
  });

  test('of rights, when the user may not write, is denied', async () => {
    await admin.query("CREATE ROLE writer LOGIN PASSWORD 'hunter2'; CREATE TABLE closed (id integer)");
    const url = Object.assign(new URL(server.url), { username: 'writer', password: 'hunter2' });
    await expect(load('closed', 'SELECT 1 AS id', { connectionUrl: url.href })).rejects.toMatchObject({
      type: 'PermissionDeniedError',
    });
  });
});

/** Until another session runs a statement that begins so. */
async function untilActive(statement: string): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '${statement}%' AND state = 'active' AND pid <> pg_backend_pid()`;
  while ((await query(sql)).length === 0) await sleep(5);
}

describe('an interval', () => {
  const interval = { column: 'at', startIso: '2001-03-25T00:00:00+01:00', endIso: '2001-03-26T00:00:00+02:00' };
  const hours = (type: string) =>
    `SELECT CAST(TIMESTAMP '2001-03-24 21:00:00' + INTERVAL (n) HOUR AS ${type}) AS at, 'old' AS v FROM range(30) AS t(n)`;

  test.each([
    ['TIMESTAMP', 'append', 6],
    ['TIMESTAMP', 'overwrite', 6],
    ['TIMESTAMPTZ', 'append', 7],
    ['DATE', 'append', 6],
  ] as const)(
    'of %s, when it is loaded in mode %s, is all that changes, also the second time',
    async (type, mode, kept) => {
      const table = `interval_${type.toLowerCase()}_${mode}`;
      await load(table, hours(type));
      const rows = `SELECT CAST(TIMESTAMPTZ '2001-03-25 12:00:00+02' AS ${type}) AS at, unnest(['a', 'b']) AS v`;
      for (const _ of [1, 2]) {
        expect(await load(table, rows, { mode, interval })).toMatchObject({ rows: 2, alreadyCommitted: false });
        const counted = await query(`SELECT v, count(*)::int AS n FROM ${table} GROUP BY v ORDER BY v`);
        expect(counted).toEqual([
          { v: 'a', n: 1 },
          { v: 'b', n: 1 },
          { v: 'old', n: kept },
        ]);
      }
    },
  );

  test('when a row is outside of it, or its column is a number, is refused and nothing is loaded', async () => {
    await load('interval_kept', hours('TIMESTAMP'));
    const outside = load('interval_kept', "SELECT TIMESTAMP '2001-03-26 00:00:00' AS at, 'x' AS v", { interval });
    await expect(outside).rejects.toMatchObject({ type: 'ValidationError' });
    await admin.query('CREATE TABLE interval_number (at bigint, v text)');
    const number = load('interval_number', "SELECT 5 AS at, 'x' AS v", { interval });
    await expect(number).rejects.toThrow('which has no place in an interval');
    expect(await query('SELECT count(*)::int AS n FROM interval_kept')).toEqual([{ n: 30 }]);
    expect(await query('SELECT count(*)::int AS n FROM interval_number')).toEqual([{ n: 0 }]);
  });
});
