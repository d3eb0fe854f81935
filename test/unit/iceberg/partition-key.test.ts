import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionKey, registerHashFunctions } from '../../../src/engines/iceberg/partition-key.ts';
import { parseTransform, resultType, type BoundPartitionField } from '../../../src/engines/iceberg/partition-spec.ts';
import { duckDbTypeOf } from '../../../src/engines/iceberg/duckdb-types.ts';
import { Lake } from './lake.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

async function valueOf(transformText: string, type: string, literal: string): Promise<unknown> {
  const transform = parseTransform(transformText);
  const source = { name: 'x', type };
  const field: BoundPartitionField = {
    fieldId: 1000,
    sourceId: 1,
    name: 'x',
    transform,
    source,
    resultType: resultType(transform, type),
  };
  const key = partitionKey(field, `CAST(${literal} AS ${duckDbTypeOf(type)})`);
  return lake.duckdb.withSession({ signal: AbortSignal.timeout(10_000) }, async (session) => {
    registerHashFunctions(session);
    const [row] = await session.rows(`SELECT CAST(${key.sql} AS VARCHAR) AS value`);
    const text = row?.['value'] as string | null;
    return text === null ? null : key.parse(text);
  });
}

/** Buckets are the hashes of the spec's Appendix B, without their sign, modulo N. */
const bucketOf = (hash: number) => BigInt((hash & 0x7fffffff) % 100);

describe('a partition value, when DuckDB computes it, is what the spec tells', () => {
  it.each([
    ['bucket[100]', 'int', '34', bucketOf(2017239379)],
    ['bucket[100]', 'long', '34', bucketOf(2017239379)],
    ['bucket[100]', 'decimal(9, 2)', "'14.20'", bucketOf(-500754589)],
    ['bucket[100]', 'date', "'2017-11-16'", bucketOf(-653330422)],
    ['bucket[100]', 'time', "'22:31:08'", bucketOf(-662762989)],
    ['bucket[100]', 'timestamp', "'2017-11-16 22:31:08'", bucketOf(-2047944441)],
    ['bucket[100]', 'timestamptz', "'2017-11-16 14:31:08-08'", bucketOf(-2047944441)],
    ['bucket[100]', 'string', "'iceberg'", bucketOf(1210000089)],
    ['bucket[100]', 'uuid', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", bucketOf(1488055340)],
    ['bucket[100]', 'binary', String.raw`'\x00\x01\x02\x03'`, bucketOf(-188683207)],
    ['bucket[100]', 'string', 'NULL', null],
    ['truncate[10]', 'int', '1', 0n],
    ['truncate[10]', 'int', '-1', -10n],
    ['truncate[10]', 'long', '-9223372036854775800', -9_223_372_036_854_775_800n],
    ['truncate[50]', 'decimal(9, 2)', "'10.65'", 1050n],
    ['truncate[50]', 'decimal(9, 2)', "'-0.01'", -50n],
    ['truncate[3]', 'string', "'iceberg'", 'ice'],
    ['truncate[2]', 'string', "'😀ü😀'", '😀ü'],
    ['truncate[3]', 'binary', String.raw`'\x01\x02\x03\x04'`, Buffer.from([1, 2, 3])],
    ['identity', 'date', "'1969-12-31'", -1n],
    ['identity', 'timestamp', "'1969-12-31 23:59:59.999999'", -1n],
    ['identity', 'time', "'00:00:01'", 1_000_000n],
    ['identity', 'boolean', 'true', true],
    ['identity', 'decimal(9, 2)', "'-0.05'", -5n],
    ['identity', 'string', "''", ''],
    ['year', 'date', "'1969-06-01'", -1n],
    ['month', 'date', "'2017-11-16'", 574n],
    ['month', 'timestamp', "'1969-12-31 23:59:59'", -1n],
    ['day', 'timestamp', "'1969-12-31 23:59:59'", -1n],
    ['day', 'timestamptz', "'2017-11-16 20:00:00-08'", 17_487n],
    ['hour', 'timestamp', "'1969-12-31 23:59:59'", -1n],
    ['hour', 'timestamptz', "'2017-11-16 14:31:08-08'", 17_486n * 24n + 22n],
    ['void', 'int', '1', null],
  ])('%s of %s %s', async (transform, type, literal, value) => {
    expect(await valueOf(transform, type, literal)).toEqual(value);
  });
});
