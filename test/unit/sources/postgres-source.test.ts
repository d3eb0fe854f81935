import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extractJdbc, type JdbcExtraction, type JdbcResult } from '../../../src/engines/sources/jdbc-source.ts';
import type { JdbcSource } from '../../../src/schemas/definition.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres-server.ts';

let fixture: EngineFixture;
let server: PostgresServer;
let admin: pg.Client;

beforeAll(async () => {
  [fixture, server] = await Promise.all([EngineFixture.create(), startPostgres()]);
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`
    SET TimeZone = 'Asia/Tokyo';
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE kinds (
      i2 smallint, i4 integer, i8 bigint, n numeric(20,4), u numeric, f4 real, f8 double precision, b boolean, t text,
      v varchar(10), c char(3), id uuid, d date, ti time, ts timestamp, tz timestamptz, raw bytea, j json, jb jsonb,
      m mood, iv interval, ip inet, a8 bigint[], at text[], an numeric(10,2)[], atz timestamptz[], ab bytea[]
    );
    INSERT INTO kinds VALUES (
      -32768, 2147483647, 9223372036854775807, 1234567890123456.7891, 0.000000000000000001, 0.1, 0.1, true,
      E'tab\\t "quoted" ''single'' \\\\ Ωß🙂' || chr(10) || 'line', 'vc', 'ch', '00000000-0000-0000-0000-000000000001',
      '0044-03-15 BC', '23:59:59.999999', '2001-01-01 10:00:00.123456', '2001-01-01 10:00:00.123456+09', '\\x00ff', '{"a": 1}',
      '{"b": [2]}', 'glad', '1 day', '10.0.0.1', '{9223372036854775807,NULL}', ARRAY['a,b', 'c"d\\e', '', NULL, 'NULL'],
      '{1.10,2.25}', '{"2001-01-01 00:00:00+09"}', ARRAY['\\x01'::bytea]
    ), (
      NULL, NULL, NULL, NULL, 'NaN'::text::numeric * NULL, 'NaN', '-Infinity', false, '', '', '', NULL, '9999-12-31', NULL,
      NULL, NULL, '\\x', NULL, NULL, NULL, NULL, NULL, '{}', '{}', NULL, NULL, NULL
    );
    CREATE TABLE numbers AS SELECT i AS id, i * 1.5 AS half, timestamp '2001-01-01' + i * interval '1 minute' AS at,
      CASE WHEN i % 10 = 0 THEN NULL ELSE i END AS part, 'name ' || i AS name FROM generate_series(1, 30000) AS i;
    CREATE TABLE exact (u numeric);
    CREATE SCHEMA other; CREATE TABLE other."Mixed Case" AS SELECT 1 AS "A b";
    CREATE ROLE reader LOGIN PASSWORD 'hunter2';
  `);
});
afterAll(async () => {
  await admin.end();
  await Promise.all([fixture.dispose(), server.stop()]);
});

async function request(source: Partial<JdbcSource>, more: Partial<JdbcExtraction> = {}): Promise<JdbcExtraction> {
  return {
    source: { type: 'jdbc', connection: 'unresolved', ...source },
    connectionUrl: server.url,
    parameters: {},
    roots: { roots: [], base: fixture.folder },
    outputFolder: await fixture.outputFolder(),
    ...more,
  };
}
async function extract(source: Partial<JdbcSource>, more: Partial<JdbcExtraction> = {}): Promise<JdbcResult> {
  return extractJdbc(fixture.engine, await request(source, more), fixture.context);
}

const fault = (message: RegExp) => ({ type: 'ValidationError', message: expect.stringMatching(message) as string });

describe('a table of PostgreSQL', () => {
  test('every type, when it lands, keeps its values without loss', async () => {
    const { dataset } = await extract({ table: 'kinds' });
    expect(await fixture.types(dataset)).toEqual({
      i2: 'SMALLINT',
      i4: 'INTEGER',
      i8: 'BIGINT',
      n: 'DECIMAL(20,4)',
      u: 'DECIMAL(38,18)',
      f4: 'FLOAT',
      f8: 'DOUBLE',
      b: 'BOOLEAN',
      t: 'VARCHAR',
      v: 'VARCHAR',
      c: 'VARCHAR',
      id: 'UUID',
      d: 'DATE',
      ti: 'TIME',
      ts: 'TIMESTAMP',
      tz: 'TIMESTAMP WITH TIME ZONE',
      raw: 'BLOB',
      j: 'VARCHAR',
      jb: 'VARCHAR',
      m: 'VARCHAR',
      iv: 'VARCHAR',
      ip: 'VARCHAR',
      a8: 'BIGINT[]',
      at: 'VARCHAR[]',
      an: 'DECIMAL(10,2)[]',
      atz: 'TIMESTAMP WITH TIME ZONE[]',
      ab: 'BLOB[]',
    });
    const [row, nulls] = await fixture.rows(dataset);
    expect(row).toEqual({
      i2: -32768,
      i4: 2147483647,
      i8: '9223372036854775807',
      n: '1234567890123456.7891',
      u: '0.000000000000000001',
      f4: expect.closeTo(0.1, 6) as number,
      f8: 0.1,
      b: true,
      t: 'tab\t "quoted" \'single\' \\ Ωß🙂\nline',
      v: 'vc',
      c: 'ch ',
      id: '00000000-0000-0000-0000-000000000001',
      d: '0044-03-15 (BC)',
      ti: '23:59:59.999999',
      ts: '2001-01-01 10:00:00.123456',
      tz: '2001-01-01 01:00:00.123456+00',
      raw: '\\x00\\xFF',
      j: '{"a": 1}',
      jb: '{"b": [2]}',
      m: 'glad',
      iv: '1 day',
      ip: '10.0.0.1',
      a8: ['9223372036854775807', null],
      at: ['a,b', 'c"d\\e', '', null, 'NULL'],
      an: ['1.10', '2.25'],
      atz: ['2000-12-31 15:00:00+00'],
      ab: ['\\x01'],
    });
    expect(nulls).toMatchObject({
      i8: null,
      u: null,
      f4: 'NaN',
      f8: '-Infinity',
      t: '',
      d: '9999-12-31',
      raw: '',
      a8: [],
      at: [],
    });
  });

  test('numeric without precision, when a value does not fit exactly, fails instead of rounding', async () => {
    await admin.query('INSERT INTO exact VALUES (1), (1.5), (12345678901234567890.123456789012345678000)');
    const { dataset } = await extract({ table: 'exact' });
    expect(await fixture.rows(dataset, 'SELECT max(u) AS u FROM data')).toEqual([
      { u: '12345678901234567890.123456789012345678' },
    ]);
    for (const value of ['1.0000000000000000001', '123456789012345678901', 'NaN']) {
      const query = `SELECT '${value}'::numeric AS u`;
      await expect(extract({ query })).rejects.toMatchObject(
        fault(/column u is numeric .* cannot hold exactly; cast it/),
      );
    }
  });

  test('a name, when it has a schema and capitals, is taken as it is written', async () => {
    const { dataset } = await extract({ table: 'other.Mixed Case' });
    expect(await fixture.rows(dataset)).toEqual([{ 'A b': 1 }]);
  });

  test('a table, when it has no rows, keeps its columns', async () => {
    const { dataset, watermark } = await extract({
      query: 'SELECT id, at FROM numbers WHERE false',
      watermark_column: 'id',
    });
    expect([dataset.rows, watermark]).toEqual([0, undefined]);
    expect(await fixture.types(dataset)).toEqual({ id: 'INTEGER', at: 'TIMESTAMP' });
  });

  test.each(['id', 'half', 'at', 'part'])(
    'a table, when it is cut into parts by %s, has every row once',
    async (column) => {
      const { dataset } = await extract({
        table: 'numbers',
        partition_column: column,
        num_partitions: 5,
        fetch_size: 999,
      });
      expect(dataset.rows).toBe(30_000);
      expect(
        await fixture.rows(
          dataset,
          'SELECT count(DISTINCT id)::INT AS ids, sum(id)::BIGINT AS s, sum(half)::INT AS h FROM data',
        ),
      ).toEqual([{ ids: 30_000, s: '450015000', h: 675_022_500 }]);
      expect(fixture.logged.at(-1)).toBe('info: read 30000 rows of PostgreSQL with 5 reader(s)');
    },
  );

  test('parts, when somebody writes meanwhile, are all of one snapshot', async () => {
    await admin.query('CREATE TABLE moving AS SELECT i AS id, 0 AS version FROM generate_series(1, 20000) AS i');
    const finished = new AbortController();
    const writer = (async () => {
      while (!finished.signal.aborted) await admin.query('UPDATE moving SET version = version + 1');
    })();
    const { dataset } = await extract({ table: 'moving', partition_column: 'id', num_partitions: 4, fetch_size: 500 });
    finished.abort();
    await writer;
    expect(
      await fixture.rows(dataset, 'SELECT count(*)::INT AS n, count(DISTINCT version)::INT AS versions FROM data'),
    ).toEqual([{ n: 20_000, versions: 1 }]);
  });

  test('a query, when it has parameters, binds them as values of their types', async () => {
    const { dataset } = await extract(
      {
        query:
          "SELECT id, '$1' AS literal FROM numbers WHERE at >= ${from} AND id <= ${last} AND name <> ${name}; -- end",
      },
      {
        parameters: {
          from: { type: 'timestamp', value: '2001-01-01T00:00:00Z' },
          last: { type: 'int', value: 2 },
          name: { type: 'string', value: "'; DROP TABLE numbers; --" },
        },
      },
    );
    expect(await fixture.rows(dataset)).toEqual([
      { id: 1, literal: '$1' },
      { id: 2, literal: '$1' },
    ]);
  });

  test.each([
    ['int', 'bigint', '1', '9007199254740993'],
    ['micro', 'timestamptz', '2001-01-01 00:00:00.000001+00', '2001-01-01 00:00:00.000002+00'],
    ['word', 'text', 'Z', 'a'],
    ['num', 'numeric(38,18)', '0.000000000000000001', '0.000000000000000002'],
  ])('a watermark (%s), when rows were added since, reads only those', async (name, type, before, after) => {
    await admin.query(`CREATE TABLE wm_${name} (mark ${type}); INSERT INTO wm_${name} VALUES ('${before}'), (NULL)`);
    const source = { table: `wm_${name}`, watermark_column: 'mark' };
    const first = await extract(source);
    expect([first.dataset.rows, first.watermark]).toEqual([2, before]);
    await admin.query(`INSERT INTO wm_${name} VALUES ('${after}')`);
    const second = await extract(source, { watermark: before });
    expect([second.dataset.rows, second.watermark]).toEqual([1, after]);
    const third = await extract(source, { watermark: after });
    expect([third.dataset.rows, third.watermark]).toEqual([0, undefined]);
    const rows = async (range: object) => (await extract(source, range)).dataset.rows;
    expect(await rows({ upTo: before })).toBe(2);
    expect(await rows({ upTo: null })).toBe(1);
    expect(await rows({ watermark: before, upTo: before })).toBe(0);
    expect(await rows({ watermark: before, upTo: after })).toBe(1);
  });

  test('a partition, when the table has its column, takes only its rows', async () => {
    const interval = { column: 'at', startIso: '2001-01-01T00:10:00+05:00', endIso: '2001-01-01T00:13:00+05:00' };
    const { dataset } = await extract({ table: 'numbers' }, { interval });
    expect(await fixture.rows(dataset, 'SELECT id FROM data')).toEqual([{ id: 10 }, { id: 11 }, { id: 12 }]);
  });
});

describe('a fault of PostgreSQL', () => {
  test.each<[Partial<JdbcSource>, RegExp]>([
    [{ table: 'nobody' }, /relation "nobody" does not exist/],
    [{ table: 'a.b.c' }, /expected table or schema\.table/],
    [{ query: 'SELECT gone FROM numbers' }, /column "gone" does not exist/],
    [{ query: 'SELECT 1 AS a, 2 AS "A"' }, /two columns of the source are named A/],
    [{ query: 'DELETE FROM numbers' }, /syntax error/],
    [{ query: 'SELECT id FROM numbers WHERE id = ${gone}' }, /query: line 1: .*gone.* is not a declared parameter/],
    [
      { table: 'numbers', partition_column: 'gone', num_partitions: 2 },
      /partition_column: the source has no column gone/,
    ],
    [
      { table: 'numbers', partition_column: 'name', num_partitions: 2 },
      /partition_column: name is text; expected a number/,
    ],
    [{ table: 'kinds', watermark_column: 'jb' }, /watermark_column: jb is text; expected/],
    [{ query: 'SELECT ARRAY[ARRAY[1]] AS a' }, /column a holds an array of arrays/],
    [{ query: "SELECT '-infinity'::timestamp AS t" }, /column t holds -infinity, which Parquet cannot/],
    [{ query: 'SELECT 1 / (id - 1) AS x FROM numbers' }, /division by zero/],
  ])('%j, when it is read, says what is wrong', async (source, message) => {
    await expect(extract(source)).rejects.toMatchObject(fault(message));
  });

  test('a query that writes, when it is hidden in a function, is denied', async () => {
    await admin.query(
      'CREATE FUNCTION write_it() RETURNS int LANGUAGE sql AS $$ INSERT INTO exact VALUES (9) RETURNING 1 $$',
    );
    await expect(extract({ query: 'SELECT write_it()' })).rejects.toMatchObject({ type: 'PermissionDeniedError' });
  });

  test('a connection, when it is wrong, tells its kind and never what is in it', async () => {
    const url = new URL(server.url);
    const wrongPassword = Object.assign(new URL(server.url), { password: 'hunter2' });
    const noRights = Object.assign(new URL(server.url), { username: 'reader', password: 'hunter2' });
    const noDatabase = Object.assign(new URL(server.url), { pathname: '/hunter2db' });
    const cases: [string, string][] = [
      [wrongPassword.href, 'PermissionDeniedError'],
      [noRights.href, 'PermissionDeniedError'],
      [noDatabase.href, 'ValidationError'],
      ['postgres://user:hunter2@127.0.0.1:1/db', 'UnavailableError'],
      ['postgres://user:hunter2@nowhere.invalid/db', 'UnavailableError'],
      ['postgres://user:hunter2@/db', 'ValidationError'],
      ['postgres://user:hunter2%@host/db', 'ValidationError'],
      [`${url.href}?sslrootcert=/etc/passwd`, 'ValidationError'],
      [`${url.href}?sslmode=require`, 'UnavailableError'],
    ];
    for (const [connectionUrl, type] of cases) {
      const error: unknown = await extract({ table: 'kinds' }, { connectionUrl }).catch((thrown: unknown) => thrown);
      expect(error, connectionUrl).toMatchObject({ type });
      expect(String(error)).not.toMatch(/hunter2|reader|127\.0\.0\.1|nowhere/);
    }
  });

  test('a server, when it ends the session, is unavailable', async () => {
    const query = 'SELECT pg_terminate_backend(pg_backend_pid()) AS gone';
    await expect(extract({ query })).rejects.toMatchObject({ type: 'UnavailableError' });
  });
});

test('an extraction, when it is cancelled, stops the statement on the server', async () => {
  const controller = new AbortController();
  const context = fixture.contextOf(controller.signal);
  const extraction = extractJdbc(fixture.engine, await request({ query: 'SELECT pg_sleep(60) AS naptime' }), context);
  const napping = async (): Promise<number> =>
    (
      await admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%naptime%' AND state = 'active' AND pid <> pg_backend_pid()",
      )
    ).rowCount ?? 0;
  while ((await napping()) === 0) await sleep(20);
  controller.abort(new Error('the step was cancelled'));
  await expect(extraction).rejects.toThrow('the step was cancelled');
  expect(await napping()).toBe(0);
});
