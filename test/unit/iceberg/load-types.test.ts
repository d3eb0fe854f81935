import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deserializeValue } from '../../../src/engines/iceberg/single-value.ts';
import { leafColumns } from '../../../src/engines/iceberg/schema.ts';
import { currentSchema } from '../../../src/engines/iceberg/table-metadata.ts';
import { Lake } from './lake.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

/** By column: its type, and what a file knows of it. */
async function statistics(table: string): Promise<Record<string, unknown>> {
  const [file] = await lake.files(table);
  const schema = currentSchema(await lake.metadata(table));
  const known = leafColumns(schema).map((leaf) => {
    const bound = (bytes: Buffer | undefined) => bytes && deserializeValue(leaf.type, bytes);
    return [
      leaf.path.join('.'),
      {
        type: leaf.type,
        values: file?.valueCounts?.get(leaf.id),
        nulls: file?.nullCounts?.get(leaf.id),
        nans: file?.nanCounts?.get(leaf.id),
        lower: bound(file?.lowerBounds?.get(leaf.id)),
        upper: bound(file?.upperBounds?.get(leaf.id)),
      },
    ] as const;
  });
  return Object.fromEntries(known);
}

describe('a loaded file', () => {
  it('when columns have every type, is described rightly', async () => {
    await lake.load(
      't.types',
      `SELECT * FROM (VALUES
        (true, 1::TINYINT, 5::BIGINT, 'nan'::FLOAT, 'nan'::DOUBLE, 12.34::DECIMAL(9,2), 5::UBIGINT, DATE '1969-12-31',
          TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '2020-01-01 00:00:00+02', 'abcdefghijklmnopqr',
          '\\xFF'::BLOB, uuid(), {'lat': 'nan'::DOUBLE, 'name': 'x'}),
        (NULL, NULL, NULL, NULL, 'nan', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        (false, -1, -5, 0, 0, -0.05, 18446744073709551615, DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00',
          TIMESTAMPTZ '2021-01-01 00:00:00+00', 'ab', '\\x00'::BLOB, uuid(), {'lat': 2.5, 'name': NULL}))
        t(b, i, l, f, d, de, u, da, ts, tz, s, bi, id, place)`,
    );
    const values = 3n;
    expect(await statistics('t.types')).toEqual({
      b: { type: 'boolean', values, nulls: 1n, lower: false, upper: true },
      i: { type: 'int', values, nulls: 1n, lower: -1n, upper: 1n },
      l: { type: 'long', values, nulls: 1n, lower: -5n, upper: 5n },
      f: { type: 'float', values, nulls: 1n, nans: 1n, lower: -0, upper: 0 },
      d: { type: 'double', values, nulls: 0n, nans: 2n, lower: -0, upper: 0 },
      de: { type: 'decimal(9, 2)', values, nulls: 1n, lower: -5n, upper: 1234n },
      u: { type: 'decimal(20, 0)', values, nulls: 1n, lower: 5n, upper: 18_446_744_073_709_551_615n },
      da: { type: 'date', values, nulls: 1n, lower: -1n, upper: 18_262n },
      ts: { type: 'timestamp', values, nulls: 1n, lower: -1n, upper: 1_577_836_800_000_000n },
      tz: { type: 'timestamptz', values, nulls: 1n, lower: 1_577_829_600_000_000n, upper: 1_609_459_200_000_000n },
      s: { type: 'string', values, nulls: 1n, lower: 'ab', upper: 'abcdefghijklmnoq' },
      bi: { type: 'binary', values, nulls: 1n, lower: Buffer.from([0]), upper: Buffer.from([255]) },
      id: { type: 'uuid', values, nulls: 1n },
      'place.lat': { type: 'double', values, nulls: 1n, nans: 1n, lower: 2.5, upper: 2.5 },
      'place.name': { type: 'string', values, nulls: 2n, lower: 'x', upper: 'x' },
    });
  });

  it('when it is Parquet of ours, carries the field ids of the table, also inside lists and structs', async () => {
    await lake.load('t.nested', `SELECT [{'k "q"': 1, 'v': ['x']}] AS "a.b", {'p': {'q': 1}} AS s`);
    const [file] = await lake.files('t.nested');
    const written = await lake.rows(
      `SELECT name, field_id::INTEGER AS id FROM parquet_schema('${(file?.path ?? '').replace('file://', '')}') WHERE field_id IS NOT NULL`,
    );
    expect(written).toEqual([
      { name: 'a.b', id: 1 },
      { name: 'element', id: 3 },
      { name: 'k "q"', id: 4 },
      { name: 'v', id: 5 },
      { name: 'element', id: 6 },
      { name: 's', id: 2 },
      { name: 'p', id: 7 },
      { name: 'q', id: 8 },
    ]);
  });

  it('when columns are in another order or missing, has the table’s order and nulls for them', async () => {
    await lake.load('t.order', "SELECT 1 AS a, 'x' AS b, 2.5::FLOAT AS c");
    await lake.load('t.order', 'SELECT 3.5::FLOAT AS c, 2 AS a');
    expect(await lake.query('t.order', 'SELECT a, b, c FROM live ORDER BY a')).toEqual([
      { a: 1, b: 'x', c: 2.5 },
      { a: 2, b: null, c: 3.5 },
    ]);
  });

  it.each([
    ['INTERVAL', "INTERVAL '1 day'", /column x is INTERVAL, which has no type in the Iceberg tables written here/],
    ['a time of day', "TIME '10:00:00'", /column x is TIME.*Spark reads no time of day: cast it/],
    ['nanoseconds', "TIMESTAMP_NS '2020-01-01 00:00:00.000000001'", /cast it to TIMESTAMP/],
    ['a map', "MAP {'k': 1}", /column x is MAP/],
    ['a map in a list', "[MAP {'k': 1}]", /column x.element is MAP/],
    ['an infinite date', "DATE 'infinity'", /cannot hold the date or time infinity/],
  ])('when a column is %s, is refused in words and makes no table', async (_name, value, message) => {
    await expect(lake.load('t.refused', `SELECT ${value} AS x`)).rejects.toThrow(message);
    expect(await lake.hasTable('t.refused')).toBe(false);
  });
});

describe('partitioned rows', () => {
  it('when they are strewn over many partitions, become one file for each', async () => {
    await lake.load('t.many', 'SELECT r AS id, r % 200 AS p FROM range(100000) t(r)', { partitionBy: ['p'] });
    const files = await lake.files('t.many');
    expect(files).toHaveLength(200);
    expect(new Set(files.map((file) => file.partition[0])).size).toBe(200);
    expect(files.every((file) => file.recordCount === 500n)).toBe(true);
  });

  it('when values cannot name folders, keep them apart', async () => {
    const texts = ['', '__HIVE_DEFAULT_PARTITION__', 'a/b', '..', 'x'.repeat(300), 'ü=%', "it's", 'NULL'];
    const rows = [...texts.map((text) => `('${text.replace("'", "''")}')`), '(NULL)'].join(', ');
    await lake.load('t.odd', `SELECT * FROM (VALUES ${rows}) t(s)`, {
      partitionBy: ['s', 'truncate(1, s)', 'bucket(4, s)'],
    });
    const files = await lake.files('t.odd');
    expect(files.map((file) => file.partition[0])).toEqual(expect.arrayContaining([...texts, null]));
    expect(files).toHaveLength(texts.length + 1);
    const nulls = files.find((file) => file.partition[0] === null);
    expect(nulls?.partition).toEqual([null, null, null]);
  });

  it('when they fall into too many partitions, are refused', async () => {
    const load = lake.load('t.toomany', 'SELECT r AS id FROM range(10001) t(r)', { partitionBy: ['id'] });
    await expect(load).rejects.toThrow(/10001 partitions; at most 10000/);
    expect(await lake.hasTable('t.toomany')).toBe(false);
  });

  it('when the pipeline asks for other partitions than the table has, conflict', async () => {
    await lake.load('t.spec', 'SELECT 1 AS id', { partitionBy: ['bucket(4, id)'] });
    await expect(lake.load('t.spec', 'SELECT 1 AS id', { partitionBy: ['id'] })).rejects.toMatchObject({
      type: 'SchemaConflictError',
    });
    await lake.load('t.spec', 'SELECT 2 AS id');
    expect(await lake.files('t.spec')).toHaveLength(2);
  });
});
