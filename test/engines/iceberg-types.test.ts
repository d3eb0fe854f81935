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
      /column odd .* no type in an Iceberg v2 table/,
    );
    await expect(lakehouse.judge.history(refused.name)).rejects.toThrow('NoSuchTableError');
  });
});
