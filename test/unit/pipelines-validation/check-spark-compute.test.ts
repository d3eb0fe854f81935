import { describe, expect, test } from 'vitest';
import { checkSparkCompute } from '../../../src/pipelines/check-spark-compute.ts';
import { documentParts } from '../../../src/schemas/document-parts.ts';

const FILE = { type: 'file', path: 'a.csv', format: 'csv' };
const TABLE = { type: 'iceberg', from: 'a', table: 'n.t' };

const faultsOf = (source: object, sink: object = TABLE): string[] =>
  checkSparkCompute(documentParts({ definition: { sources: { a: source }, sinks: { out: sink } } })).map(
    ({ path, message }) => `${path}: ${message}`,
  );

describe('compute: spark', () => {
  test.each([
    ['a CSV file with a dialect', { ...FILE, options: { delimiter: ';', header: false, quote: "'", nullstr: 'NA' } }],
    ['a Parquet file', { type: 'file', path: 'a.parquet', format: 'parquet' }],
    ['a Spark application', { type: 'spark', application: 'a.py' }],
    ['a database', { type: 'jdbc', connection: 'sqlite:a.db', table: 't' }],
    ['a table', { type: 'iceberg', table: 'n.t' }],
    ['an API', { type: 'api', url: 'https://example.com/' }],
    ['a file on S3', { ...FILE, path: 's3://b/a.csv' }],
  ])('when the source is %s, takes it', (_what, source) => {
    expect(faultsOf(source)).toEqual([]);
  });

  test.each([
    ['a CSV file with lines to skip', { ...FILE, options: { skip: 2 } }, 'definition.sources.a.options: '],
    ['a CSV file with types', { ...FILE, options: { types: { a: 'int' } } }, 'definition.sources.a.options: '],
    ['a file with an option of no format', { ...FILE, options: { colour: 'red' } }, 'definition.sources.a.options: '],
  ])('when the source is %s, refuses it in words', (_what, source, fault) => {
    expect(faultsOf(source)).toEqual([expect.stringContaining(fault)]);
  });

  test.each(['append', 'overwrite', 'overwrite_partition', 'merge'])('when the sink has mode %s, takes it', (mode) => {
    expect(faultsOf(FILE, { ...TABLE, mode, merge_keys: ['id'], partition_by: ['day(d)', 'truncate(3, a)'] })).toEqual(
      [],
    );
  });

  test('when a pattern says what only RE2 can, refuses it in words', () => {
    const checks = ['a', '(?U)a+', '\\C'].map((pattern) => ({ type: 'regex', source: 'a', column: 'c', pattern }));
    const definition = { sources: { a: FILE }, quality_checks: { checks }, sinks: { out: TABLE } };
    expect(checkSparkCompute(documentParts({ definition }))).toEqual([
      { path: 'definition.quality_checks.checks.1.pattern', message: expect.stringContaining('the flag U') as string },
      { path: 'definition.quality_checks.checks.2.pattern', message: expect.stringContaining('\\C') as string },
    ]);
  });

  test('when the sink has buckets, refuses them in words', () => {
    expect(faultsOf(FILE, { ...TABLE, partition_by: ['a', 'bucket(4, b)'] })).toEqual([
      expect.stringContaining('definition.sinks.out.partition_by.1: compute: spark partitions by'),
    ]);
  });
});
