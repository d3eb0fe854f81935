/** A column of every type that tables of ours may have, with values at its edges and conditions that can prune. */
import type { Condition } from './lakehouse.ts';

export interface TypedColumn {
  name: string;
  duckdb: string;
  /** The beginning of the type as pyiceberg writes it: field ids inside structs are not of interest. */
  pyiceberg: string;
  spark: string;
  /** Values in DuckDB's SQL; they are cast to the type. */
  low: string;
  high: string;
  /** Below low and above high, where the type allows it. */
  extremes: string[];
  /** True for low alone, and for what is above the middle of low and high. Absent where Iceberg keeps no bounds. */
  equalsLow?: Condition;
  aboveMiddle?: Condition;
}

const FLOAT_EXTREMES = ["'NaN'", "'inf'", "'-inf'", '-0.0', '0.0'];

export const COLUMNS: TypedColumn[] = [
  {
    ...{ name: 'b', duckdb: 'BOOLEAN', pyiceberg: 'boolean', spark: 'boolean' },
    ...{ low: 'false', high: 'true', extremes: ['true', 'false'] },
    equalsLow: { sql: 'b = false', pyiceberg: "EqualTo('b', False)" },
    aboveMiddle: { sql: 'b = true', pyiceberg: "EqualTo('b', True)" },
  },
  {
    ...{ name: 'i', duckdb: 'INTEGER', pyiceberg: 'int', spark: 'int' },
    ...{ low: '-7', high: '7', extremes: ['-2147483648', '2147483647', '0'] },
    equalsLow: { sql: 'i = -7', pyiceberg: "EqualTo('i', -7)" },
    aboveMiddle: { sql: 'i > 1', pyiceberg: "GreaterThan('i', 1)" },
  },
  {
    // High is a number that a double does not hold.
    ...{ name: 'l', duckdb: 'BIGINT', pyiceberg: 'long', spark: 'bigint' },
    ...{ low: '-7', high: '9007199254740993', extremes: ['-9223372036854775808', '9223372036854775807', '0'] },
    equalsLow: { sql: 'l = -7', pyiceberg: "EqualTo('l', -7)" },
    aboveMiddle: { sql: 'l > 9007199254740992', pyiceberg: "GreaterThan('l', 9007199254740992)" },
  },
  {
    // DuckDB and Spark take NaN for the greatest number, Iceberg compares nothing with it: the filters leave it out.
    ...{ name: 'f', duckdb: 'FLOAT', pyiceberg: 'float', spark: 'float' },
    ...{ low: '-1.5', high: '1.25', extremes: [...FLOAT_EXTREMES, '1.4e-45', '3.4028235e38'] },
    equalsLow: { sql: 'f = -1.5', pyiceberg: "EqualTo('f', -1.5)" },
    aboveMiddle: { sql: 'f > 0.5 AND NOT isnan(f)', pushed: 'f > 0.5', pyiceberg: "GreaterThan('f', 0.5)" },
  },
  {
    ...{ name: 'd', duckdb: 'DOUBLE', pyiceberg: 'double', spark: 'double' },
    ...{ low: '-0.1', high: '0.1', extremes: [...FLOAT_EXTREMES, '5e-324', '1.7976931348623157e308'] },
    equalsLow: { sql: 'd = -0.1', spark: 'd = -0.1D', pyiceberg: "EqualTo('d', -0.1)" },
    aboveMiddle: {
      sql: 'd > 0.05 AND NOT isnan(d)',
      spark: 'd > 0.05D AND NOT isnan(d)',
      pushed: 'd > 0.05D',
      pyiceberg: "GreaterThan('d', 0.05)",
    },
  },
  {
    ...{ name: 'd1', duckdb: 'DECIMAL(1,0)', pyiceberg: 'decimal(1, 0)', spark: 'decimal(1,0)' },
    ...{ low: '-3', high: '3', extremes: ['-9', '9', '0'] },
    equalsLow: { sql: 'd1 = -3', pyiceberg: "EqualTo('d1', Decimal('-3'))" },
    aboveMiddle: { sql: 'd1 > 1', pyiceberg: "GreaterThan('d1', Decimal('1'))" },
  },
  {
    ...{ name: 'd9', duckdb: 'DECIMAL(9,2)', pyiceberg: 'decimal(9, 2)', spark: 'decimal(9,2)' },
    ...{ low: '-12.34', high: '12.34', extremes: ['-9999999.99', '9999999.99', '0.01'] },
    equalsLow: { sql: 'd9 = -12.34', pyiceberg: "EqualTo('d9', Decimal('-12.34'))" },
    aboveMiddle: { sql: 'd9 > 1.5', pyiceberg: "GreaterThan('d9', Decimal('1.50'))" },
  },
  {
    ...{ name: 'd18', duckdb: 'DECIMAL(18,4)', pyiceberg: 'decimal(18, 4)', spark: 'decimal(18,4)' },
    ...{ low: '-1.0001', high: '1.0001', extremes: ["'-99999999999999.9999'", "'99999999999999.9999'"] },
    equalsLow: { sql: 'd18 = -1.0001', pyiceberg: "EqualTo('d18', Decimal('-1.0001'))" },
    aboveMiddle: { sql: 'd18 > 1', pyiceberg: "GreaterThan('d18', Decimal('1.0000'))" },
  },
  {
    ...{ name: 'd38', duckdb: 'DECIMAL(38,10)', pyiceberg: 'decimal(38, 10)', spark: 'decimal(38,10)' },
    ...{ low: "'-0.0000000001'", high: "'0.0000000001'" },
    extremes: ["'-9999999999999999999999999999.9999999999'", "'9999999999999999999999999999.9999999999'"],
    equalsLow: { sql: 'd38 = -0.0000000001', pyiceberg: "EqualTo('d38', Decimal('-0.0000000001'))" },
    aboveMiddle: { sql: 'd38 > 0', pyiceberg: "GreaterThan('d38', Decimal('0.0000000000'))" },
  },
  {
    ...{ name: 'dt', duckdb: 'DATE', pyiceberg: 'date', spark: 'date' },
    ...{ low: "'1969-12-31'", high: "'2024-02-29'" },
    extremes: ["'0001-01-01'", "'9999-12-31'", "'1582-10-10'", "'1970-01-01'"],
    equalsLow: { sql: "dt = DATE '1969-12-31'", pyiceberg: "EqualTo('dt', '1969-12-31')" },
    aboveMiddle: { sql: "dt > DATE '2000-01-01'", pyiceberg: "GreaterThan('dt', '2000-01-01')" },
  },
  {
    ...{ name: 'ts', duckdb: 'TIMESTAMP', pyiceberg: 'timestamp', spark: 'timestamp_ntz' },
    ...{ low: "'1969-12-31 23:59:59.999999'", high: "'2024-02-29 12:34:56.789'" },
    extremes: ["'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'1883-11-18 12:03:57'", "'1970-01-01'"],
    equalsLow: {
      sql: "ts = TIMESTAMP '1969-12-31 23:59:59.999999'",
      spark: "ts = TIMESTAMP_NTZ '1969-12-31 23:59:59.999999'",
      pyiceberg: "EqualTo('ts', '1969-12-31T23:59:59.999999')",
    },
    aboveMiddle: {
      sql: "ts > TIMESTAMP '2000-01-01 00:00:00'",
      spark: "ts > TIMESTAMP_NTZ '2000-01-01 00:00:00'",
      pyiceberg: "GreaterThan('ts', '2000-01-01T00:00:00')",
    },
  },
  {
    ...{ name: 'tz', duckdb: 'TIMESTAMPTZ', pyiceberg: 'timestamptz', spark: 'timestamp' },
    ...{ low: "'1969-12-31 23:59:59.999999+00'", high: "'2024-02-29 12:34:56.789+02'" },
    extremes: [
      ...["'0001-01-02 00:00:00+00'", "'9999-12-30 23:59:59.999999+00'"],
      ...["'1883-11-18 12:03:57-05'", "'1970-01-01 00:00:00+00'"],
    ],
    equalsLow: {
      sql: "tz = TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'",
      spark: "tz = TIMESTAMP '1969-12-31 23:59:59.999999 UTC'",
      pyiceberg: "EqualTo('tz', '1969-12-31T23:59:59.999999+00:00')",
    },
    aboveMiddle: {
      sql: "tz > TIMESTAMPTZ '2000-01-01 00:00:00+00'",
      spark: "tz > TIMESTAMP '2000-01-01 00:00:00 UTC'",
      pyiceberg: "GreaterThan('tz', '2000-01-01T00:00:00+00:00')",
    },
  },
  {
    // Longer than bounds are (16 code points), outside the basic plane, and the greatest code point, which has no next.
    ...{ name: 's', duckdb: 'VARCHAR', pyiceberg: 'string', spark: 'string' },
    ...{ low: "'aardvark and something longer than sixteen'", high: "'zebra and something longer than sixteen'" },
    extremes: [
      ...["''", "' '", "'ÿ'", "'日本語のとても長い文字列、十六文字を超える'", "'nul' || chr(0) || 'inside'"],
      ...["repeat('😀', 17)", 'repeat(chr(1114111), 20)', 'repeat(chr(55295), 20)'],
    ],
    equalsLow: {
      sql: "s = 'aardvark and something longer than sixteen'",
      pyiceberg: "EqualTo('s', 'aardvark and something longer than sixteen')",
    },
    aboveMiddle: { sql: "s > 'm'", pyiceberg: "GreaterThan('s', 'm')" },
  },
  {
    ...{ name: 'bin', duckdb: 'BLOB', pyiceberg: 'binary', spark: 'binary' },
    ...{ low: String.raw`'\x01\x02'`, high: String.raw`'\x7F\x80'` },
    extremes: [
      "''",
      String.raw`'\x00'`,
      "unhex(repeat('FF', 20))",
      "unhex(repeat('FF', 3))",
      "unhex(repeat('7F', 20))",
    ],
    equalsLow: { sql: "bin = unhex('0102')", pyiceberg: "EqualTo('bin', bytes.fromhex('0102'))" },
    aboveMiddle: { sql: "bin > unhex('20')", pyiceberg: "GreaterThan('bin', bytes.fromhex('20'))" },
  },
  {
    ...{ name: 'u', duckdb: 'UUID', pyiceberg: 'uuid', spark: 'string' },
    ...{ low: "'11111111-2222-3333-4444-555555555555'", high: "'81111111-2222-3333-4444-555555555555'" },
    extremes: [
      ...["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
      "'7fffffff-ffff-ffff-ffff-ffffffffffff'",
    ],
    equalsLow: {
      sql: "u = '11111111-2222-3333-4444-555555555555'",
      pyiceberg: "EqualTo('u', '11111111-2222-3333-4444-555555555555')",
    },
  },
  {
    ...{ name: 'li', duckdb: 'INTEGER[]', pyiceberg: 'list<int>', spark: 'array<int>' },
    ...{ low: '[1, 2, 3]', high: '[7]', extremes: ['[]', '[NULL]', '[1, NULL, -2147483648]'] },
  },
  {
    ...{ name: 'lls', duckdb: 'VARCHAR[][]', pyiceberg: 'list<list<string>>', spark: 'array<array<string>>' },
    ...{ low: "[['a'], ['b', 'c']]", high: "[['z']]", extremes: ['[]', '[[]]', '[NULL]', "[[NULL, ''], NULL]"] },
  },
  {
    ...{ name: 'st', duckdb: 'STRUCT(a INTEGER, n STRUCT(t TIMESTAMP, v DECIMAL(10,3)))', pyiceberg: 'struct<' },
    spark: 'struct<a:int,n:struct<t:timestamp_ntz,v:decimal(10,3)>>',
    ...{ low: "{a: 1, n: {t: '1969-01-01', v: 1.5}}", high: "{a: 2, n: {t: '2024-01-01', v: -1.5}}" },
    extremes: [
      ...['{a: NULL, n: NULL}', '{a: NULL, n: {t: NULL, v: NULL}}', '{a: 2147483647, n: {t: NULL, v: 9999999.999}}'],
    ],
  },
];

/** A query of one row: the file's number and a value of each column. */
function row(file: number, value: (column: TypedColumn) => string): string {
  const values = COLUMNS.map((column) => `(${value(column)})::${column.duckdb} AS ${column.name}`);
  return `SELECT ${file} AS file, ${values.join(', ')}`;
}

const EXTREME_ROWS = Math.max(...COLUMNS.map(({ extremes }) => extremes.length)) + 1;

/** Loads of which each makes a file: low, high, all extremes with nulls among them, nulls only, NaN only in floats. */
export const FILES = [
  row(1, ({ low }) => low),
  row(2, ({ high }) => high),
  Array.from({ length: EXTREME_ROWS }, (_, at) => row(3, ({ extremes }) => extremes[at] ?? 'NULL')).join(' UNION ALL '),
  row(4, () => 'NULL'),
  row(5, ({ name, low }) => (name === 'f' || name === 'd' ? "'NaN'" : low)),
];
