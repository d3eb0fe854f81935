import { describe, expect, test } from 'vitest';
import { flinkStatements, type FlinkValues } from '../../../src/engines/flink/flink-statements.ts';

const values: FlinkValues = {
  parameters: {
    name: { type: 'string', value: "O'Hara; DROP TABLE t --" },
    count: { type: 'int', value: -5 },
    share: { type: 'float', value: 0.5 },
    fresh: { type: 'boolean', value: true },
    day: { type: 'date', value: '2001-01-31' },
    at: { type: 'timestamp', value: '2001-01-31T06:00:00+02:00' },
  },
  inputs: { orders: "file:///a'b/" },
  output: 'file:///out/',
};

describe('a Flink statement', () => {
  test('when it declares tables, is cut at each semicolon outside of literals, names and comments', () => {
    const sql = `-- one; two
      CREATE TEMPORARY TABLE \`a;b\` (x STRING) WITH ('k' = 'v;w'); /* ; */
      INSERT INTO \`a;b\` SELECT 'it''s; fine';`;
    expect(flinkStatements(sql, values).map((statement) => statement.split(/\s+/).at(-1))).toEqual(["'v;w')", "fine'"]);
  });

  test.each([
    ['${name}', "'O''Hara; DROP TABLE t --'"],
    ['${count}', "CAST('-5' AS BIGINT)"],
    ['${share}', "CAST('0.5' AS DOUBLE)"],
    ['${fresh}', 'TRUE'],
    ['${day}', "DATE '2001-01-31'"],
    ['${at}', 'TO_TIMESTAMP_LTZ(980913600000, 3)'],
    ['${input:orders}', "'file:///a''b/'"],
    ["'${input:orders}x'", "'file:///a''b/x'"],
    ["'${output}'", "'file:///out/'"],
    ["'$${name}'", "'${name}'"],
    ['$${', '${'],
  ])('when it has %s, has %s in its place', (written, placed) => {
    expect(flinkStatements(`INSERT INTO t SELECT ${written}`, values)).toEqual([`INSERT INTO t SELECT ${placed}`]);
  });

  test.each([
    ["INSERT INTO t SELECT '${name}'", /inside a literal/],
    ['INSERT INTO `${output}` SELECT 1', /inside a quoted identifier/],
    ['INSERT INTO t SELECT 1 -- ${name}', /inside a comment/],
    ['INSERT INTO t SELECT /*+ ${name} */ 1', /inside a comment/],
    ['INSERT INTO t SELECT ${input:other}', /neither an input, the output nor a parameter/],
    ['INSERT INTO t SELECT ${name', /expected \}/],
    ["SET 'execution.runtime-mode' = 'streaming'; INSERT INTO t SELECT 1", /got SET/],
    ['INSERT INTO t SELECT 1; INSERT INTO t SELECT 2', /got INSERT/],
    ['CREATE TABLE t (x INT); INSERT INTO t SELECT 1', /got CREATE TABLE/],
    ['CREATE TEMPORARY VIEW v AS SELECT 1', /expected one INSERT at the end/],
    ['/* nothing */', /got nothing/],
  ])('when it is %s, is refused', (sql, message) => {
    expect(() => flinkStatements(sql, values)).toThrow(message);
  });
});
