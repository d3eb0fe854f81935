import { NO_TYPE } from '../duckdb/valueless-columns.ts';

/**
 * Types as people write them in a `schema` check, and as DuckDB names them: which of the two mean the same, and what a
 * column of a type can be compared with.
 */

const ALIASES: Readonly<Record<string, string>> = {
  BOOL: 'BOOLEAN',
  LOGICAL: 'BOOLEAN',
  INT1: 'TINYINT',
  BYTE: 'TINYINT',
  INT2: 'SMALLINT',
  INT16: 'SMALLINT',
  SHORT: 'SMALLINT',
  INT: 'INTEGER',
  INT4: 'INTEGER',
  INT32: 'INTEGER',
  SIGNED: 'INTEGER',
  INT8: 'BIGINT',
  INT64: 'BIGINT',
  LONG: 'BIGINT',
  INT128: 'HUGEINT',
  UINT8: 'UTINYINT',
  UINT16: 'USMALLINT',
  UINT32: 'UINTEGER',
  UINT64: 'UBIGINT',
  REAL: 'FLOAT',
  FLOAT4: 'FLOAT',
  FLOAT32: 'FLOAT',
  FLOAT8: 'DOUBLE',
  FLOAT64: 'DOUBLE',
  'DOUBLE PRECISION': 'DOUBLE',
  NUMERIC: 'DECIMAL',
  STRING: 'VARCHAR',
  TEXT: 'VARCHAR',
  CHAR: 'VARCHAR',
  BPCHAR: 'VARCHAR',
  DATETIME: 'TIMESTAMP',
  TIMESTAMP_NTZ: 'TIMESTAMP',
  'TIMESTAMP WITHOUT TIME ZONE': 'TIMESTAMP',
  TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE',
  TIMESTAMP_TZ: 'TIMESTAMP WITH TIME ZONE',
  TIMETZ: 'TIME WITH TIME ZONE',
  BYTEA: 'BLOB',
  BINARY: 'BLOB',
  VARBINARY: 'BLOB',
  BYTES: 'BLOB',
  GUID: 'UUID',
};

const KNOWN = new Set([
  ...Object.values(ALIASES),
  ...['DATE', 'TIME', 'JSON', 'INTERVAL', 'BIT', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'UHUGEINT'],
]);
const NESTED = /^(STRUCT|MAP|ENUM|UNION)\(/;
const INTEGERS = /^U?(TINY|SMALL|BIG|HUGE)INT$|^U?INTEGER$/;

/** The one name of a type, with its precision when it was given; undefined when nobody calls a type so. */
export function canonicalType(written: string): string | undefined {
  const type = written.trim().replaceAll(/\s+/g, ' ').toUpperCase();
  const list = /^(.+)\[(\d*)\]$/.exec(type);
  if (list !== null) {
    const element = canonicalType(list[1] ?? '');
    return element === undefined ? undefined : `${element}[${list[2] ?? ''}]`;
  }
  if (NESTED.test(type)) return type.replaceAll(/\s*([(),])\s*/g, '$1');
  const [, name = '', precision] = /^([A-Z0-9_ ]+?) ?(\([0-9 ,]+\))?$/.exec(type) ?? [];
  const canonical = ALIASES[name] ?? name;
  if (!KNOWN.has(canonical)) return undefined;
  // A length limits what may be stored; DuckDB and Parquet do not keep it.
  return canonical === 'DECIMAL' && precision !== undefined ? `DECIMAL${precision.replaceAll(' ', '')}` : canonical;
}

/**
 * Whether a column of type `actual` is what `expected` asks for: a decimal without precision accepts every decimal, and a
 * column without any value is whatever is expected.
 */
export function sameType(actual: string, expected: string): boolean {
  if (actual === NO_TYPE) return true;
  const wanted = canonicalType(expected);
  const found = canonicalType(actual);
  if (wanted === 'DECIMAL') return found !== undefined && /^DECIMAL(\(\d+,\d+\))?$/.test(found);
  return wanted !== undefined && wanted === found;
}

export type ColumnKind = 'integer' | 'float' | 'decimal' | 'text' | 'instant' | 'time' | 'boolean' | 'none' | 'other';

/** What values a column of this DuckDB type can be compared with; `none`: it has no value, so with any. */
export function kindOfType(type: string): ColumnKind {
  if (type === NO_TYPE) return 'none';
  if (INTEGERS.test(type)) return 'integer';
  if (type === 'DOUBLE' || type === 'FLOAT') return 'float';
  if (type.startsWith('DECIMAL(') && !type.endsWith(']')) return 'decimal';
  if (type === 'VARCHAR' || type === 'UUID' || (type.startsWith('ENUM(') && type.endsWith(')'))) return 'text';
  if (type === 'DATE' || (type.startsWith('TIMESTAMP') && !type.endsWith(']'))) return 'instant';
  if (type === 'TIME') return 'time';
  return type === 'BOOLEAN' ? 'boolean' : 'other';
}
