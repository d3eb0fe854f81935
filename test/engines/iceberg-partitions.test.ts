import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lakehouse, type ModelledTable } from './lakehouse.ts';
import { PARTITION_CASES, type PartitionCase } from './partition-cases.ts';

let lakehouse: Lakehouse;
beforeAll(async () => {
  lakehouse = await Lakehouse.open();
});
afterAll(() => lakehouse.close());

/** A row for each value: its key counts on from `first`. */
function rowsSql(values: string[], type: string, first: number, note: string): string {
  const rows = values.map(
    (value, at) => `SELECT ${first + at}::BIGINT AS k, (${value})::${type} AS c, '${note}' AS note`,
  );
  return rows.join(' UNION ALL ');
}

/** Every mode, on a table partitioned by `c`. */
async function loadInEveryMode(table: ModelledTable, { partitionBy, type, values }: PartitionCase): Promise<void> {
  const atFirst = [...values.slice(0, -1), 'NULL'];
  const [first = '', second = ''] = values;
  const [last = ''] = values.slice(-1);
  await table.load({ sql: rowsSql(atFirst, type, 0, 'appended'), partitionBy: [partitionBy] });
  await table.load({ sql: rowsSql(atFirst, type, 100, 'appended again') });
  await table.load({ sql: rowsSql([second, 'NULL'], type, 200, 'in place'), mode: 'overwrite_partition' });
  await table.load({ sql: rowsSql([last], type, 300, 'a new partition'), mode: 'overwrite_partition' });
  // Keys that are there, one of which goes to another partition by it, and one that is not.
  await table.load({
    sql: rowsSql([last, second], type, 100, 'merged') + ` UNION ALL ` + rowsSql([first], type, 400, 'merged'),
    mode: 'merge',
    mergeKeys: ['k'],
  });
}

/** Spark's own function gives each row the partition value that its file has. */
async function expectSparkAgrees(table: ModelledTable, spark: string): Promise<void> {
  const columns = await lakehouse.judge.sql(`SELECT * FROM matih.${table.name}.partitions LIMIT 1`);
  expect(columns).toHaveLength(1);
  const [[disagreeing] = []] = await lakehouse.judge.sql(
    `SELECT count(*) FROM matih.${table.name} WHERE NOT (_partition.${partitionName(spark)} <=> ${spark})`,
  );
  expect(disagreeing).toBe('0');
}

function partitionName(spark: string): string {
  const transform = /system\.(\w+)\(/.exec(spark)?.[1];
  return transform === undefined ? 'c' : `c_${transform.replace(/s$/, '').replace('truncate', 'trunc')}`;
}

describe('a partitioned table, as pyiceberg and Spark 4.1 read it', () => {
  test.for(PARTITION_CASES)('$partitionBy of $type, when loaded in every mode, is right and prunes', async (each) => {
    const table = lakehouse.table(`partitions.t${lakehouse.next()}`);
    await loadInEveryMode(table, each);
    await table.expectTimeTravel(['pyiceberg']);
    await table.expectSound();
    if (each.spark !== undefined) await expectSparkAgrees(table, each.spark);
    const files = (await lakehouse.judge.partitions(table.name)).reduce((sum, [, , count]) => sum + count, 0);
    const planned = await table.expectFiltered(each.equalsFirst);
    for (const count of Object.values(planned)) expect(count).toBeLessThan(files);
    await table.load({ sql: rowsSql(each.values, each.type, 500, 'all new'), mode: 'overwrite' });
    await table.load({ sql: rowsSql(['NULL'], each.type, 600, 'and more') });
    await table.expectSound();
  });

  test('three transforms at once, when loaded in every mode, are right and prune by each', async () => {
    const table = lakehouse.table('partitions.three');
    const rows = (from: number, count: number): string =>
      `SELECT i::BIGINT AS id, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS moment, ['north', 'süd', NULL][i % 3 + 1] AS region
       FROM range(${from}, ${from + count}) AS r(i)`;
    await table.load({ sql: rows(0, 200), partitionBy: ['day(moment)', 'bucket(4, id)', 'region'] });
    await table.load({ sql: rows(150, 100), mode: 'overwrite_partition' });
    await table.load({ sql: rows(240, 20), mode: 'merge', mergeKeys: ['id', 'moment'] });
    await table.expectSound();
    await table.expectTimeTravel();
    const files = (await lakehouse.judge.partitions(table.name)).reduce((sum, [, , count]) => sum + count, 0);
    for (const condition of [
      { sql: 'id = 17', pyiceberg: "EqualTo('id', 17)" },
      { sql: "region = 'süd'", pyiceberg: "EqualTo('region', 'süd')" },
      {
        sql: "moment < TIMESTAMP '2024-01-02 12:00:00'",
        spark: "moment < TIMESTAMP_NTZ '2024-01-02 12:00:00'",
        pyiceberg: "LessThan('moment', '2024-01-02T12:00:00')",
      },
    ]) {
      const planned = await table.expectFiltered(condition);
      expect(planned.pyiceberg).toBeLessThan(files / 2);
      expect(planned.spark).toBeLessThan(files / 2);
    }
  });

  test('two decimals of one type, when loaded in every mode, are right and prune by each', async () => {
    const table = lakehouse.table('partitions.decimals');
    const rows = (from: number, count: number): string =>
      `SELECT i AS id, (i % 3 / 4)::DECIMAL(9, 2) AS one, (i % 2 - 0.5)::DECIMAL(9, 2) AS other FROM range(${from}, ${from + count}) AS r(i)`;
    await table.load({ sql: rows(0, 30), partitionBy: ['one', 'other'] });
    await table.load({ sql: rows(20, 20), mode: 'overwrite_partition' });
    await table.load({ sql: rows(30, 20), mode: 'merge', mergeKeys: ['id'] });
    await table.expectSound();
    await table.expectTimeTravel();
    const planned = await table.expectFiltered({
      sql: 'one = 0.25 AND other = 0.50',
      pyiceberg: "And(EqualTo('one', Decimal('0.25')), EqualTo('other', Decimal('0.50')))",
    });
    const files = (await lakehouse.judge.partitions(table.name)).reduce((sum, [, , count]) => sum + count, 0);
    for (const count of Object.values(planned)) expect(count).toBeLessThan(files / 2);
  });

  test('partitions, when counted by pyiceberg, hold the rows that DuckDB counts', async () => {
    const table = lakehouse.table('partitions.counted');
    await table.load({
      sql: `SELECT DATE '1969-12-30' + (i % 5)::INTEGER AS d, i FROM range(1000) AS r(i) WHERE i % 7 <> 0`,
      partitionBy: ['day(d)'],
    });
    const counted = await lakehouse.model.runAndReadAll(
      `SELECT (d - DATE '1970-01-01')::VARCHAR AS day, count(*)::INTEGER FROM ${table.model} GROUP BY day ORDER BY day`,
    );
    const partitions = await lakehouse.judge.partitions(table.name);
    expect(partitions.map(([partition, rows]) => [partition['d_day'], rows]).sort()).toEqual(counted.getRows());
    expect(partitions.map(([, , files]) => files)).toEqual([1, 1, 1, 1, 1]);
  });

  test.for([
    { by: 'c', type: 'UUID', value: "'11111111-2222-3333-4444-555555555555'" },
    { by: 'c', type: 'DOUBLE', value: '-0.0' },
    { by: 'bucket(4, c)', type: 'FLOAT', value: '1.5' },
    { by: 'bucket(4, c)', type: 'BOOLEAN', value: 'true' },
    { by: 'truncate(4, c)', type: 'DATE', value: "'2024-01-01'" },
    { by: 'hour(c)', type: 'DATE', value: "'2024-01-01'" },
    { by: 'day(c)', type: 'VARCHAR', value: "'2024-01-01'" },
  ])(
    '$by of $type, on which engines disagree or which Iceberg has not, is refused in words',
    async ({ by, type, value }) => {
      const table = lakehouse.table(`partitions.refused_${lakehouse.next()}`);
      const load = { sql: `SELECT (${value})::${type} AS c`, partitionBy: [by] };
      await expect(table.load(load)).rejects.toMatchObject({
        name: 'EngineError',
        retryable: false,
        message: expect.stringContaining(type.toLowerCase().replace('varchar', 'string')) as string,
      });
    },
  );
});
