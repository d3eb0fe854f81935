import { expect, test } from 'vitest';
import { canonicalType, sameType } from '../../../src/engines/quality/column-type.ts';

test.each([
  ['int', 'INTEGER'],
  ['  Double   Precision ', 'DOUBLE'],
  ['varchar(20)', 'VARCHAR'],
  ['numeric(10, 2)', 'DECIMAL(10,2)'],
  ['timestamptz', 'TIMESTAMP WITH TIME ZONE'],
  ['text[]', 'VARCHAR[]'],
  ['int[3]', 'INTEGER[3]'],
  ['STRUCT(a INTEGER, b VARCHAR)', 'STRUCT(A INTEGER,B VARCHAR)'],
  ['nothing', undefined],
  ['nothing[]', undefined],
  ['int; drop table x', undefined],
  ['', undefined],
])('%s, when it is read as a type, is %s', (written, canonical) => {
  expect(canonicalType(written)).toBe(canonical);
});

test.each([
  ['DECIMAL(10,2)', 'decimal', true],
  ['DECIMAL(10,2)', 'decimal(10,2)', true],
  ['DECIMAL(10,2)', 'decimal(10,3)', false],
  ['DECIMAL(10,2)[]', 'decimal', false],
  ['BIGINT', 'int', false],
  ['DOUBLE', 'float', false],
  ['STRUCT(a INTEGER)', 'struct(a integer)', true],
])('%s, when %s is expected, is the same: %s', (actual, expected, same) => {
  expect(sameType(actual, expected)).toBe(same);
});
