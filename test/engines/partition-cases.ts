/** Each partition transform on each type that has it, with values at both sides of its borders. */
import type { Condition } from './lakehouse.ts';

export interface PartitionCase {
  partitionBy: string;
  /** Type of the column `c` in DuckDB. */
  type: string;
  /** At least four, in DuckDB's SQL; NULL is added. The last is not loaded at first: its partition comes later. */
  values: string[];
  /** True for the first value. */
  equalsFirst: Condition;
  /** `_partition`'s field equals this function of Spark's; absent where Spark sees another type. */
  spark?: string;
}

interface Source {
  type: string;
  values: string[];
  equalsFirst: Condition;
}

const SOURCES = {
  boolean: {
    type: 'BOOLEAN',
    values: ['true', 'true', 'true', 'false'],
    equalsFirst: { sql: 'c = true', pyiceberg: "EqualTo('c', True)" },
  },
  int: {
    type: 'INTEGER',
    values: ['-1', '0', '9', '10', '-10', '-11', '2147483647', '-2147483640', '34', '100'],
    equalsFirst: { sql: 'c = -1', pyiceberg: "EqualTo('c', -1)" },
  },
  long: {
    type: 'BIGINT',
    values: ['-1', '0', '9', '10', '-10', '9223372036854775807', '-9223372036854775800', '9007199254740993', '100'],
    equalsFirst: { sql: 'c = -1', pyiceberg: "EqualTo('c', -1)" },
  },
  decimal: {
    type: 'DECIMAL(9,2)',
    values: ['14.20', '-0.01', '0.00', '0.01', '-14.25', '9999999.99', '-9999999.90', '100.00'],
    equalsFirst: { sql: 'c = 14.20', pyiceberg: "EqualTo('c', Decimal('14.20'))" },
  },
  wideDecimal: {
    type: 'DECIMAL(38,10)',
    values: [
      "'-1.5'",
      "'0'",
      "'9999999999999999999999999999.9999999999'",
      "'-9999999999999999999999999999.9999999000'",
      "'7'",
    ],
    equalsFirst: { sql: 'c = -1.5', pyiceberg: "EqualTo('c', Decimal('-1.5000000000'))" },
  },
  date: {
    type: 'DATE',
    values: [
      "'1969-12-31'",
      "'1970-01-01'",
      "'1969-01-01'",
      "'1968-12-31'",
      "'2024-02-29'",
      "'2024-03-01'",
      "'0001-01-01'",
      "'2030-05-05'",
    ],
    equalsFirst: { sql: "c = DATE '1969-12-31'", pyiceberg: "EqualTo('c', '1969-12-31')" },
  },
  timestamp: {
    type: 'TIMESTAMP',
    values: [
      ...[
        "'1969-12-31 23:59:59.999999'",
        "'1970-01-01 00:00:00'",
        "'1969-12-31 22:59:59.999999'",
        "'1969-11-30 00:00:00'",
      ],
      ...["'1968-02-29 23:00:00'", "'2024-02-29 12:34:56.789'", "'2024-02-29 13:00:00'", "'2030-05-05 05:05:05'"],
    ],
    equalsFirst: {
      sql: "c = TIMESTAMP '1969-12-31 23:59:59.999999'",
      spark: "c = TIMESTAMP_NTZ '1969-12-31 23:59:59.999999'",
      pyiceberg: "EqualTo('c', '1969-12-31T23:59:59.999999')",
    },
  },
  timestamptz: {
    type: 'TIMESTAMPTZ',
    values: [
      ...["'1969-12-31 23:59:59.999999+00'", "'1970-01-01 00:00:00+02'", "'1969-12-31 22:59:59.999999+00'"],
      ...[
        "'1969-11-30 00:00:00-05'",
        "'1968-02-29 23:00:00+00'",
        "'2024-02-29 23:34:56.789-05'",
        "'2024-02-29 13:00:00+00'",
      ],
      "'2030-05-05 05:05:05+00'",
    ],
    equalsFirst: {
      sql: "c = TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'",
      spark: "c = TIMESTAMP '1969-12-31 23:59:59.999999 UTC'",
      pyiceberg: "EqualTo('c', '1969-12-31T23:59:59.999999+00:00')",
    },
  },
  string: {
    // Also what breaks paths, and what could be taken for a null.
    type: 'VARCHAR',
    values: [
      ...[
        "'iceberg'",
        "''",
        "'a/b=c%20d'",
        "'..'",
        "'null'",
        "'__HIVE_DEFAULT_PARTITION__'",
        "'日本語のテキスト'",
        "'😀😀😀😀😀'",
      ],
      ...["'ice'", "' '", "'x''y\"z'", "'new\nline'", "'later'"],
    ],
    equalsFirst: { sql: "c = 'iceberg'", pyiceberg: "EqualTo('c', 'iceberg')" },
  },
  binary: {
    type: 'BLOB',
    values: ["unhex('00010203')", "''", "unhex('0001')", "unhex('FFFFFFFFFF')", "unhex('7F')", "unhex('AA')"],
    equalsFirst: { sql: "c = unhex('00010203')", pyiceberg: "EqualTo('c', bytes.fromhex('00010203'))" },
  },
  uuid: {
    type: 'UUID',
    values: [
      ...["'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "'00000000-0000-0000-0000-000000000000'"],
      ...["'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'11111111-2222-3333-4444-555555555555'"],
    ],
    equalsFirst: {
      sql: "c = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'",
      pyiceberg: "EqualTo('c', 'f79c3e09-677c-4bbd-a479-3f349cb785e7')",
    },
  },
} satisfies Record<string, Source>;

type SourceName = keyof typeof SOURCES;
const TEMPORAL: SourceName[] = ['date', 'timestamp', 'timestamptz'];

function cases(sources: SourceName[], partitionBy: string, spark: string): PartitionCase[] {
  return sources.map((name) => ({
    ...SOURCES[name],
    partitionBy,
    // Spark's column for a uuid is a string, for which the functions say something else.
    ...(name === 'uuid' ? {} : { spark }),
  }));
}

const ALL = Object.keys(SOURCES) as SourceName[];
export const PARTITION_CASES: PartitionCase[] = [
  ...cases(
    ALL.filter((name) => name !== 'uuid'),
    'c',
    'c',
  ),
  ...cases(TEMPORAL, 'year(c)', 'matih.system.years(c)'),
  ...cases(TEMPORAL, 'month(c)', 'matih.system.months(c)'),
  ...cases(TEMPORAL, 'day(c)', 'matih.system.days(c)'),
  ...cases(['timestamp', 'timestamptz'], 'hour(c)', 'matih.system.hours(c)'),
  ...cases(
    ALL.filter((name) => name !== 'boolean'),
    'bucket(5, c)',
    'matih.system.bucket(5, c)',
  ),
  ...cases(['int', 'long', 'decimal', 'wideDecimal'], 'truncate(10, c)', 'matih.system.truncate(10, c)'),
  ...cases(['string', 'binary'], 'truncate(3, c)', 'matih.system.truncate(3, c)'),
];
