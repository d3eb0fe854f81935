import { NO_TYPE } from '../duckdb/valueless-columns.ts';

/** How DuckDB's types stand to PostgreSQL's: which a new column gets, which an existing one takes, and in what text. */

/** A column of an existing table, as its catalog describes it. */
export interface TargetType {
  /** PostgreSQL's name, as `format_type` writes it: for messages. */
  shown: string;
  /** `typname` of the type, a domain's being that of what it is based on. */
  name: string;
  /** `typcategory` (PostgreSQL, pg_type): N numeric, S string, B boolean, D date and time, A array, … */
  category: string;
  /** Of an array. */
  element?: TargetType;
}

const SCALARS: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'smallint',
  UTINYINT: 'smallint',
  SMALLINT: 'smallint',
  USMALLINT: 'integer',
  INTEGER: 'integer',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  UBIGINT: 'numeric(20,0)',
  HUGEINT: 'numeric(39,0)',
  UHUGEINT: 'numeric(39,0)',
  FLOAT: 'real',
  DOUBLE: 'double precision',
  VARCHAR: 'text',
  UUID: 'uuid',
  DATE: 'date',
  TIME: 'time',
  'TIME WITH TIME ZONE': 'timetz',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  TIMESTAMP_NS: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  BLOB: 'bytea',
  JSON: 'jsonb',
  [NO_TYPE]: 'text',
  INTERVAL: 'interval',
  BIT: 'text',
};
const WHOLE = new Set(['int2', 'int4', 'int8', 'oid']);
const WALL_CLOCK = new Set(['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS']);

/** The type of a column made for DuckDB's; what PostgreSQL has no type for becomes jsonb. */
export function postgresType(type: string): string {
  const scalar = scalarType(type);
  if (scalar !== undefined) return scalar;
  const element = elementOf(type);
  const array = element === undefined ? undefined : scalarType(element);
  return array === undefined ? 'jsonb' : `${array}[]`;
}

function scalarType(type: string): string | undefined {
  if (/^DECIMAL\(\d+,\d+\)$/.test(type)) return type.replace('DECIMAL', 'numeric');
  return isEnum(type) ? 'text' : SCALARS[type];
}

/** Whether values of DuckDB's type go into the column without changing what they mean; a value may still be too large. */
export function fits(type: string, target: TargetType): boolean {
  if (type === NO_TYPE) return true;
  const isText = target.category === 'S';
  const isJson = target.name === 'json' || target.name === 'jsonb';
  if (type === 'VARCHAR' || isEnum(type))
    return !['N', 'B', 'D', 'T', 'A', 'R'].includes(target.category) && target.name !== 'bytea';
  if (type === 'BOOLEAN') return target.category === 'B';
  if (/^U?(TINY|SMALL|BIG|HUGE)INT$|^U?INTEGER$|^DECIMAL\(\d+,0\)$/.test(type)) return target.category === 'N';
  if (/^(FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/.test(type)) return target.category === 'N' && !WHOLE.has(target.name);
  if (type === 'DATE') return ['date', 'timestamp'].includes(target.name);
  // A wall-clock time and an instant are not the same; which zone was meant is for a transformation to say.
  if (WALL_CLOCK.has(type)) return target.name === 'timestamp';
  if (type === 'JSON') return isJson || isText;
  const element = elementOf(type);
  if (element !== undefined && target.element !== undefined) return fits(element, target.element);
  const scalar = scalarType(type);
  // uuid, bytea, time, timestamptz, interval: PostgreSQL's own name of them, or text where nothing is lost.
  return scalar === undefined
    ? isJson
    : scalar === target.name || (type === 'UUID' && isText) || (type === 'BIT' && isText);
}

/** The SQL of a value's text, as PostgreSQL's input function of the target's type reads it. */
export function textSql(column: string, type: string, target: TargetType): string {
  const element = elementOf(type);
  if (element !== undefined && target.element !== undefined) {
    const list = `CAST(${column} AS ${element}[])`;
    const quoted = `'"' || replace(replace(${textSql('element', element, target.element)}, '\\', '\\\\'), '"', '\\"') || '"'`;
    return `'{' || array_to_string(list_transform(${list}, lambda element: coalesce(${quoted}, 'NULL')), ',') || '}'`;
  }
  if (element !== undefined || /^(STRUCT|MAP|UNION)\(/.test(type)) return `CAST(to_json(${column}) AS VARCHAR)`;
  if (type === 'BLOB') return `'\\x' || hex(${column})`;
  // DuckDB writes years before 1 as `0044-03-15 (BC)`, PostgreSQL reads `0044-03-15 BC`.
  if (type === 'DATE' || type.startsWith('TIMESTAMP')) return `replace(CAST(${column} AS VARCHAR), '(BC)', 'BC')`;
  return `CAST(${column} AS VARCHAR)`;
}

/** The element type of a list or array: `INTEGER` of `INTEGER[]` and of `INTEGER[3]`. */
function elementOf(type: string): string | undefined {
  return /^(.*)\[\d*\]$/s.exec(type)?.[1];
}

function isEnum(type: string): boolean {
  return type.startsWith('ENUM(') && type.endsWith(')');
}
