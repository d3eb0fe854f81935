import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMNS, FILES } from './column-types.ts';
import { READERS } from './judge.ts';
import { Lakehouse, type ModelledTable } from './lakehouse.ts';

let lakehouse: Lakehouse;
let wide: ModelledTable;
beforeAll(async () => {
  lakehouse = await Lakehouse.open();
  wide = lakehouse.table('types.wide');
  for (const sql of FILES) await wide.load({ sql });
});
afterAll(() => lakehouse.close());

describe('a table with a column of every type, as pyiceberg and Spark 4.1 read it', () => {
  test('its rows, when files hold extremes, only nulls and only NaN, are exactly those that were loaded', async () => {
    await wide.expectSound();
    await wide.expectTimeTravel();
  });

  test('its schema, when pyiceberg reads it, has the Iceberg type of every column', async () => {
    const schema = await lakehouse.judge.schema('pyiceberg', wide.name);
    const expected = COLUMNS.map(({ name, pyiceberg }) => [name, pyiceberg, false]);
    const begun = schema.map(([name, type, required]) => {
      return [name, type.slice(0, COLUMNS.find((column) => column.name === name)?.pyiceberg.length), required];
    });
    expect(begun).toEqual([['file', 'int', false], ...expected]);
  });

  test('its schema, when Spark reads it, has the Spark type of every column', async () => {
    const schema = await lakehouse.judge.schema('spark', wide.name);
    expect(schema).toEqual([['file', 'int', false], ...COLUMNS.map(({ name, spark }) => [name, spark, false])]);
  });

  test('its metadata tables, when each reader decodes every count and bound in them, can be read', async () => {
    // pyiceberg 0.12 shows no metadata tables of tables with uuids.
    const plain = lakehouse.table('types.plain');
    for (const sql of FILES) await plain.load({ sql: `SELECT * EXCLUDE (u) FROM (${sql})` });
    for (const [reader, { name }] of [
      ['spark', wide],
      ['pyiceberg', plain],
    ] as const) {
      expect(await lakehouse.judge.metadataTables(reader, name)).toEqual({
        ...{ snapshots: 5, history: 5, refs: 1, manifests: 5, files: 5, entries: 5, partitions: 1 },
        metadata_log_entries: expect.any(Number) as number,
      });
    }
  });

  test.for(COLUMNS)('nulls of $duckdb, when a filter asks for them, are all found', async ({ name, pyiceberg }) => {
    const nested = /^(list|struct)/.test(pyiceberg);
    const planned = await wide.expectFiltered({
      sql: `${name} IS NULL`,
      // pyiceberg filters by no list.
      ...(pyiceberg.startsWith('list') ? {} : { pyiceberg: `IsNull('${name}')` }),
    });
    // Nulls are in the extremes and in the file of nulls; nobody counts those of lists and structs.
    if (!nested) expect(planned).toEqual({ pyiceberg: 2, spark: 2 });
  });

  test.for(COLUMNS.filter((column) => column.equalsLow !== undefined))(
    'values of $duckdb, when a filter compares them, are found without opening the files whose bounds exclude them',
    async ({ name, equalsLow, aboveMiddle }) => {
      // The low file, the extremes and the last file, which has NaN instead in the floats. Uuids have no bounds, since
      // engines disagree on their order: only the file of nulls is left out.
      const withLow = name === 'f' || name === 'd' ? 2 : name === 'u' ? 4 : 3;
      if (equalsLow) expect(await wide.expectFiltered(equalsLow)).toEqual({ pyiceberg: withLow, spark: withLow });
      // The high file and the extremes.
      if (aboveMiddle) expect(await wide.expectFiltered(aboveMiddle)).toEqual({ pyiceberg: 2, spark: 2 });
    },
  );

  test.for(['f', 'd'])('NaN in column %s, when a filter asks for it, is found where it is counted', async (name) => {
    // Spark hands no question for NaN to Iceberg.
    const nan = await wide.expectFiltered({ sql: `isnan(${name})`, pushed: 'true', pyiceberg: `IsNaN('${name}')` });
    expect(nan.pyiceberg).toBe(2);
    const numbers = await wide.expectFiltered({
      sql: `NOT isnan(${name}) AND ${name} IS NOT NULL`,
      pushed: `${name} IS NOT NULL`,
      pyiceberg: `And(NotNaN('${name}'), NotNull('${name}'))`,
    });
    expect(numbers).toEqual({ pyiceberg: 3, spark: 4 });
  });

  test('fields of structs, when a filter compares them, are found', async () => {
    await wide.expectFiltered({ sql: 'st.a = 1', pyiceberg: "EqualTo('st.a', 1)" });
    await wide.expectFiltered({ sql: 'st.n.v < 0', pyiceberg: "LessThan('st.n.v', Decimal('0.000'))" });
  });
});

describe('lists of structs, as pyiceberg and Spark 4.1 read them', () => {
  const lists = `SELECT [{x: 1::BIGINT, y: 'é', d: 'NaN'::DOUBLE}] AS l UNION ALL SELECT [] UNION ALL SELECT [NULL]
    UNION ALL SELECT [{x: NULL, y: '', d: '-inf'::DOUBLE}, {x: -1, y: NULL, d: NULL}]`;

  test('lists of structs, when some are empty or hold nulls, are exactly those that were loaded', async () => {
    const table = lakehouse.table('types.list_of_struct');
    await table.load({ sql: lists });
    await table.expectSound();
    expect(await lakehouse.judge.schema('spark', table.name)).toEqual([
      ['l', 'array<struct<x:bigint,y:string,d:double>>', false],
    ]);
  });

  test('a list of structs, when it is null, is null for Spark', async () => {
    // pyiceberg 0.12 reads an empty list, also from its own tables.
    const table = lakehouse.table('types.null_list_of_struct');
    await table.load({ sql: `${lists} UNION ALL SELECT NULL` });
    const { difference } = await lakehouse.judge.rows('spark', { table: table.name, expected: await table.expected() });
    expect(difference).toBeNull();
    await table.expectAudited();
  });
});

describe('values at the edges, as pyiceberg and Spark 4.1 read them', () => {
  test.for([
    { what: 'dates', type: 'DATE', values: ["'0044-03-15 (BC)'", "'200000-01-01'", "'5881580-07-10'"] },
    { what: 'timestamps', type: 'TIMESTAMP', values: ["'0044-03-15 (BC) 01:02:03.000004'", "'200000-01-01 00:00:00'"] },
    {
      what: 'decimals of 38 digits',
      type: 'DECIMAL(38,38)',
      values: [`'-0.${'9'.repeat(38)}'`, `'0.${'0'.repeat(37)}1'`],
    },
    {
      what: 'texts of 100,000 characters',
      type: 'VARCHAR',
      values: ["repeat('x', 100000)", "repeat('é', 100000)", "'short'"],
    },
  ])('$what, when far out, are exactly those that were loaded', async ({ type, values }) => {
    const table = lakehouse.table(`edges.t${lakehouse.next()}`);
    const sql = values.map((value) => `SELECT (${value})::${type} AS c`).join(' UNION ALL ');
    await table.load({ sql, partitionBy: ['c'] });
    await table.expectSound();
  });

  test.for(['DATE', 'TIMESTAMP', 'TIMESTAMPTZ'])('%s, when infinite, is refused in words', async (type) => {
    const table = lakehouse.table(`edges.infinite_${type.toLowerCase()}`);
    for (const infinite of ['infinity', '-infinity']) {
      await expect(
        table.write({ sql: `SELECT '${infinite}'::${type} AS c UNION ALL SELECT NULL` }),
      ).rejects.toMatchObject({
        type: 'ValidationError',
        message: expect.stringContaining('infinity') as string,
      });
    }
  });

  test('a file of several row groups, when loaded, has the statistics of all of them', async () => {
    const table = lakehouse.table('edges.row_groups');
    await table.load({
      sql: `SELECT i, CASE WHEN i % 1000 = 0 THEN 'NaN'::DOUBLE WHEN i % 777 = 0 THEN NULL ELSE i * 0.5 END AS d,
              {f: CASE WHEN i % 13 = 0 THEN 'NaN'::FLOAT ELSE -i::FLOAT END} AS st, 's' || (i % 5000) AS s
            FROM range(130000) r(i)`,
    });
    await table.expectSound();
  });
});

describe('types of DuckDB that Iceberg has under another name, as pyiceberg and Spark 4.1 read them', () => {
  test('small and unsigned integers, enums and coarse timestamps, when loaded, keep their values', async () => {
    const other = lakehouse.table('types.other');
    await other.load({
      sql: `SELECT (-128)::TINYINT a, 255::UTINYINT b, (-32768)::SMALLINT c, 65535::USMALLINT d, 4294967295::UINTEGER e,
            18446744073709551615::UBIGINT f, 'x'::ENUM('x', 'y') g, '2024-01-01 00:00:01'::TIMESTAMP_S h,
            '1969-12-31 23:59:59.999'::TIMESTAMP_MS i`,
    });
    const expected = await lakehouse.parquet(
      `SELECT a, b, c, d, e, f::DECIMAL(20, 0) f, g::VARCHAR g, h::TIMESTAMP h, i::TIMESTAMP i FROM ${other.model}`,
    );
    for (const reader of READERS) {
      const { difference } = await lakehouse.judge.rows(reader, { table: other.name, expected });
      expect(difference, reader).toBeNull();
    }
    await other.expectAudited();
  });

  test.for([
    { type: 'INTERVAL', value: "INTERVAL '1 day'" },
    { type: 'MAP', value: "MAP {'a': 1}" },
    { type: 'TIMESTAMP_NS', value: "'2024-01-01'::TIMESTAMP_NS" },
  ])('a column of $type, when loaded, is refused in words and makes no table', async ({ type, value }) => {
    const refused = lakehouse.table(`types.refused_${type.toLowerCase()}`);
    await expect(refused.write({ sql: `SELECT ${value} AS odd` })).rejects.toThrow(
      /column odd .* no type in the Iceberg tables/,
    );
    await expect(lakehouse.judge.history(refused.name)).rejects.toThrow('NoSuchTableError');
  });
});
