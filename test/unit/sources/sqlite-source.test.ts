import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { extractJdbc, type JdbcExtraction, type JdbcResult } from '../../../src/engines/sources/jdbc-source.ts';
import type { JdbcSource } from '../../../src/schemas/definition.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
  const database = new DatabaseSync(join(fixture.folder, 'shop.db'));
  database.exec(`
    CREATE TABLE orders (
      id INTEGER PRIMARY KEY, big INTEGER, price REAL, name VARCHAR(20), day DATE, at TIMESTAMP, ok BOOLEAN, raw BLOB,
      amount DECIMAL(10,2), anything, bad_day DATE
    );
    INSERT INTO orders VALUES
      (1, 9223372036854775807, 0.1, 'it''s "x"', '2001-01-01', '2001-01-01 10:00:00.123456', 1, x'0102ff', 12.5, 'text', '2001-01-01'),
      (2, -1, 2, '', '2001-01-02', '2001-01-02T10:00', 0, x'', 3, 7, 'someday'),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE empty (id INTEGER, name TEXT, at DATETIME, price REAL);
    CREATE TABLE twins (a INTEGER);
  `);
  database.close();
});
afterAll(() => fixture.dispose());

async function extract(source: Partial<JdbcSource>, more: Partial<JdbcExtraction> = {}): Promise<JdbcResult> {
  const request: JdbcExtraction = {
    source: { type: 'jdbc', connection: 'unresolved', ...source },
    connectionUrl: 'sqlite:shop.db',
    parameters: {},
    roots: { roots: [fixture.folder], base: fixture.folder },
    outputFolder: await fixture.outputFolder(),
    ...more,
  };
  return extractJdbc(fixture.engine, request, fixture.context);
}

const fault = (message: RegExp) => ({ type: 'ValidationError', message: expect.stringMatching(message) as string });

describe('a table of SQLite', () => {
  test('every declared type, when its values are of it, lands as it without loss', async () => {
    const { dataset, watermark } = await extract({ table: 'orders' });
    expect(watermark).toBeUndefined();
    expect(dataset.rows).toBe(3);
    expect(await fixture.types(dataset)).toEqual({
      id: 'BIGINT',
      big: 'BIGINT',
      price: 'DOUBLE',
      name: 'VARCHAR',
      day: 'DATE',
      at: 'TIMESTAMP',
      ok: 'BOOLEAN',
      raw: 'BLOB',
      amount: 'DOUBLE',
      anything: 'VARCHAR',
      bad_day: 'VARCHAR',
    });
    expect(await fixture.rows(dataset)).toMatchObject([
      {
        big: '9223372036854775807',
        price: 0.1,
        name: 'it\'s "x"',
        day: '2001-01-01',
        at: '2001-01-01 10:00:00.123456',
        ok: true,
        raw: '\\x01\\x02\\xFF',
        amount: 12.5,
        anything: 'text',
      },
      {
        big: '-1',
        price: 2,
        name: '',
        at: '2001-01-02 10:00:00',
        ok: false,
        raw: '',
        anything: '7',
        bad_day: 'someday',
      },
      { id: '3', big: null, price: null, name: null, day: null, at: null, ok: null, raw: null, bad_day: null },
    ]);
    expect(fixture.logged).toContain('warn: column bad_day is declared DATE and holds other text; it lands as text');
  });

  test('a table, when it has no rows, keeps its columns', async () => {
    const { dataset } = await extract({ table: 'empty', watermark_column: 'id' }, { connectionUrl: 'shop.db' });
    expect(dataset.rows).toBe(0);
    expect(await fixture.types(dataset)).toEqual({ id: 'BIGINT', name: 'VARCHAR', at: 'TIMESTAMP', price: 'DOUBLE' });
  });

  test('many rows, when they come in small batches, all arrive once', async () => {
    const query =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, i / 2.0 AS half FROM n';
    const { dataset } = await extract({ query, fetch_size: 777 });
    expect(dataset.rows).toBe(20_000);
    expect(await fixture.rows(dataset, 'SELECT count(DISTINCT i)::INT AS n, sum(half) AS s FROM data')).toEqual([
      { n: 20_000, s: 100_005_000 },
    ]);
  });

  test('a query, when it has parameters, binds them as values of their types', async () => {
    const { dataset } = await extract(
      { query: "SELECT id, '$id' AS literal FROM orders WHERE day >= ${day} AND ok = ${ok} AND id = ${id}; -- end" },
      {
        parameters: {
          day: { type: 'date', value: '2001-01-01' },
          ok: { type: 'boolean', value: true },
          id: { type: 'int', value: 1 },
        },
      },
    );
    expect(await fixture.rows(dataset)).toEqual([{ id: '1', literal: '$id' }]);
  });

  test.each([
    ['id', '3', ['4']],
    ['at', '2001-01-02T10:00', ['2001-01-03T00:00']],
    ['price', '2', ['2.5']],
  ])('a watermark on %s, when rows were added since, reads only those', async (column, before, after) => {
    const path = join(fixture.folder, `watermark-${column}.db`);
    const database = new DatabaseSync(path);
    database.exec(`CREATE TABLE t (id INTEGER, at TIMESTAMP, price REAL);
      INSERT INTO t VALUES (1, '2001-01-01T10:00', 1), (3, '2001-01-02T10:00', 2), (NULL, NULL, NULL)`);
    const source = { table: 't', watermark_column: column };
    const first = await extract(source, { connectionUrl: `sqlite://${path}` });
    expect([first.dataset.rows, Number(first.watermark) || first.watermark]).toEqual([3, Number(before) || before]);
    database.exec("INSERT INTO t VALUES (4, '2001-01-03T00:00', 2.5)");
    database.close();
    const connection = { connectionUrl: `sqlite://${path}` };
    const second = await extract(source, { ...connection, watermark: String(first.watermark) });
    expect([second.dataset.rows, second.watermark]).toEqual([1, after[0]]);
    const third = await extract(source, { ...connection, watermark: String(second.watermark) });
    expect([third.dataset.rows, third.watermark]).toEqual([0, undefined]);
    const rows = async (range: object) => (await extract(source, { ...connection, ...range })).dataset.rows;
    expect(await rows({ upTo: String(first.watermark) })).toBe(3);
    expect(await rows({ upTo: null })).toBe(1);
    expect(await rows({ watermark: String(first.watermark), upTo: String(first.watermark) })).toBe(0);
    expect(await rows({ watermark: String(first.watermark), upTo: String(second.watermark) })).toBe(1);
  });

  test('a partition, when the table has its column, takes only its rows', async () => {
    const interval = { column: 'day', startIso: '2001-01-02T00:00:00Z', endIso: '2001-01-03T00:00:00Z' };
    const { dataset } = await extract({ table: 'orders' }, { interval });
    expect(await fixture.rows(dataset, 'SELECT id FROM data')).toEqual([{ id: '2' }]);
  });

  test('a file in use, when somebody writes it meanwhile, is read as it was', async () => {
    const path = join(fixture.folder, 'wal.db');
    const database = new DatabaseSync(path);
    database.exec(
      'PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)',
    );
    const { dataset } = await extract({ table: 't' }, { connectionUrl: path });
    expect(dataset.rows).toBe(1);
    database.close();
  });

  test('an extraction, when it is cancelled during a long query, ends with the reason and holds nothing up', async () => {
    const controller = new AbortController();
    const query =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) AS c FROM n a';
    const request: JdbcExtraction = {
      source: { type: 'jdbc', connection: '', query },
      connectionUrl: 'sqlite:shop.db',
      parameters: {},
      roots: { roots: 'any', base: fixture.folder },
      outputFolder: await fixture.outputFolder(),
    };
    setTimeout(() => {
      controller.abort(new Error('cancelled'));
    }, 50);
    await expect(extractJdbc(fixture.engine, request, fixture.contextOf(controller.signal))).rejects.toThrow(
      'cancelled',
    );
  });
});

describe('a fault of SQLite', () => {
  test.each<[Partial<JdbcSource>, RegExp]>([
    [{}, /expected either table or query/],
    [{ table: 'orders', query: 'SELECT 1' }, /expected either table or query/],
    [{ table: 'nobody' }, /SQLite: no such table: nobody/],
    [{ query: 'SELECT gone FROM orders' }, /SQLite: no such column: gone/],
    [{ query: 'DELETE FROM orders' }, /SQLite: near "DELETE"/],
    [{ query: 'SELECT * FROM orders WHERE id = ${id}' }, /query: line 1: .*id.* is not a declared parameter/],
    [{ table: 'orders', watermark_column: 'gone' }, /watermark_column: the source has no column gone/],
    [{ table: 'orders', watermark_column: 'anything' }, /holds values of several kinds/],
  ])('%j, when it is read, says what is wrong', async (source, message) => {
    await expect(extract(source)).rejects.toMatchObject(fault(message));
  });

  test('a connection, when it names no SQLite file, says so without repeating it', async () => {
    await writeFile(join(fixture.folder, 'text.db'), 'this is some text and not a database, though it is long enough');
    await expect(extract({ table: 't' }, { connectionUrl: 'text.db' })).rejects.toMatchObject(
      fault(/no SQLite database/),
    );
    await expect(extract({ table: 't' }, { connectionUrl: 'sqlite:hunter2.db' })).rejects.toMatchObject({
      type: 'ValidationError',
      message: expect.not.stringContaining('hunter2') as string,
    });
    await expect(extract({ table: 't' }, { connectionUrl: 'sqlite:/etc/hunter2' })).rejects.toMatchObject({
      type: 'PermissionDeniedError',
      message: expect.not.stringContaining('hunter2') as string,
    });
    await expect(extract({ table: 't' }, { connectionUrl: 'mysql://u:hunter2@h/d' })).rejects.toMatchObject({
      type: 'UnsupportedError',
      message: expect.not.stringContaining('hunter2') as string,
    });
  });
});
