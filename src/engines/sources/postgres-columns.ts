import { types, type FieldDef } from 'pg';
import { EngineError } from '../../errors.ts';
import { parsePostgresArray } from './postgres-array.ts';
import type { TextColumn } from './text-rows.ts';

/** A column of PostgreSQL, and what its text needs before DuckDB reads it. */
export interface PostgresColumn extends TextColumn {
  /** PostgreSQL's name of the type, for casts of values that it is compared with. */
  postgresType: string;
  kind: 'whole number' | 'number' | 'instant' | 'date' | 'text' | 'other';
  prepare?: (text: string) => string;
}

const { builtins } = types;
const NUMERIC: number = builtins.NUMERIC;
/** What DuckDB can hold; PostgreSQL's own numeric goes far beyond. */
const MAX_PRECISION = 38;
/**
 * For `numeric` without precision, whose scale is the data's: one fixed type, so that each run's table has the same
 * (Spark's JDBC source takes the same one). It is exact or the step fails; a double would round silently.
 */
const UNBOUNDED = { precision: 38, scale: 18 };
const FITS_UNBOUNDED = /^-?\d{1,20}(\.\d{1,18}0*)?$/;

const text = (postgresType: string): Omit<PostgresColumn, 'name'> => ({ type: 'VARCHAR', postgresType, kind: 'text' });
/** PostgreSQL writes years before 1 as `0044-03-15 BC`, DuckDB as `0044-03-15 (BC)`. */
const era = (type: string) => (sql: string) => `CAST(replace(${sql}, ' BC', ' (BC)') AS ${type})`;

const SCALARS: Readonly<Record<number, Omit<PostgresColumn, 'name'>>> = {
  [builtins.BOOL]: { type: 'BOOLEAN', postgresType: 'boolean', kind: 'other' },
  [builtins.INT2]: { type: 'SMALLINT', postgresType: 'smallint', kind: 'whole number' },
  [builtins.INT4]: { type: 'INTEGER', postgresType: 'integer', kind: 'whole number' },
  [builtins.INT8]: { type: 'BIGINT', postgresType: 'bigint', kind: 'whole number' },
  [builtins.FLOAT4]: { type: 'FLOAT', postgresType: 'real', kind: 'number' },
  [builtins.FLOAT8]: { type: 'DOUBLE', postgresType: 'double precision', kind: 'number' },
  [builtins.TEXT]: text('text'),
  [builtins.VARCHAR]: text('text'),
  [builtins.UUID]: { type: 'UUID', postgresType: 'uuid', kind: 'other' },
  [builtins.DATE]: { type: 'DATE', postgresType: 'date', kind: 'date', value: era('DATE') },
  [builtins.TIME]: { type: 'TIME', postgresType: 'time', kind: 'other' },
  [builtins.TIMESTAMP]: { type: 'TIMESTAMP', postgresType: 'timestamp', kind: 'instant', value: era('TIMESTAMP') },
  [builtins.TIMESTAMPTZ]: {
    type: 'TIMESTAMP WITH TIME ZONE',
    postgresType: 'timestamptz',
    kind: 'instant',
    value: era('TIMESTAMP WITH TIME ZONE'),
  },
  // Written as \x and hexadecimal digits (bytea_output = hex).
  [builtins.BYTEA]: { type: 'BLOB', postgresType: 'bytea', kind: 'other', value: (sql) => `unhex(substr(${sql}, 3))` },
};

/** Array types and their elements' (PostgreSQL, catalog `pg_type`; pg names only some of them). */
const ELEMENT_OF: Readonly<Record<number, number>> = {
  1000: builtins.BOOL,
  1001: builtins.BYTEA,
  1005: builtins.INT2,
  1007: builtins.INT4,
  1009: builtins.TEXT,
  1014: builtins.TEXT,
  1015: builtins.TEXT,
  1016: builtins.INT8,
  1021: builtins.FLOAT4,
  1022: builtins.FLOAT8,
  1115: builtins.TIMESTAMP,
  1182: builtins.DATE,
  1183: builtins.TIME,
  1185: builtins.TIMESTAMPTZ,
  1231: builtins.NUMERIC,
  2951: builtins.UUID,
};

/** json, enums, intervals, ranges, network addresses and everything else that is not named here land as their text. */
export function postgresColumn(field: FieldDef): PostgresColumn {
  const { name, dataTypeID, dataTypeModifier } = field;
  const element = ELEMENT_OF[dataTypeID];
  if (element !== undefined) return arrayColumn(name, scalar(name, element, dataTypeModifier));
  return { name, ...scalar(name, dataTypeID, dataTypeModifier) };
}

function scalar(name: string, typeId: number, modifier: number): Omit<PostgresColumn, 'name'> {
  if (typeId === NUMERIC) return numeric(name, modifier);
  const known = SCALARS[typeId] ?? { ...text('text'), kind: 'other' as const };
  return known.kind === 'date' || known.kind === 'instant' ? { ...known, prepare: finite(name) } : known;
}

/** Parquet has no infinite dates: it would hold a day in the year 5881580. */
function finite(name: string): (value: string) => string {
  return (value) => {
    if (!value.endsWith('infinity')) return value;
    throw new EngineError(
      'ValidationError',
      `column ${name} holds ${value}, which Parquet cannot; replace it in query, by nullif(${name}, '${value}')`,
    );
  };
}

/** The modifier holds precision and scale (PostgreSQL, numeric.c: `make_numeric_typmod`); the scale is signed. */
function numeric(name: string, modifier: number): Omit<PostgresColumn, 'name'> {
  const common = { postgresType: 'numeric', kind: 'number' } as const;
  if (modifier < 0) {
    const prepare = (value: string): string => {
      if (FITS_UNBOUNDED.test(value)) return value;
      throw new EngineError(
        'ValidationError',
        `column ${name} is numeric without precision and holds a value that DECIMAL(38,18) cannot hold exactly; cast it in query, to numeric(p,s) or double precision`,
      );
    };
    return { ...common, type: `DECIMAL(${UNBOUNDED.precision},${UNBOUNDED.scale})`, prepare };
  }
  const declared = ((modifier - 4) >> 16) & 0xffff;
  const scale = (((modifier - 4) & 0x7ff) ^ 0x400) - 0x400;
  // A negative scale rounds before the point, a scale beyond the precision starts with zeros after it.
  const precision = Math.max(scale < 0 ? declared - scale : declared, scale);
  if (precision > MAX_PRECISION) {
    throw new EngineError(
      'ValidationError',
      `column ${name} is numeric(${declared},${scale}); at most ${MAX_PRECISION} digits can be held, cast it in query`,
    );
  }
  return { ...common, type: `DECIMAL(${precision},${Math.max(scale, 0)})` };
}

/** PostgreSQL's array text made JSON, whose elements are texts that DuckDB casts one by one. */
function arrayColumn(name: string, element: Omit<PostgresColumn, 'name'>): PostgresColumn {
  const { prepare, value } = element;
  return {
    name,
    type: `${element.type}[]`,
    postgresType: `${element.postgresType}[]`,
    kind: 'other',
    prepare: (array) => {
      const elements = parsePostgresArray(array);
      if (elements === undefined) {
        throw new EngineError('ValidationError', `column ${name} holds an array of arrays; make it text in query`);
      }
      return JSON.stringify(
        prepare === undefined ? elements : elements.map((each) => (each === null ? null : prepare(each))),
      );
    },
    value: (sql) => {
      const texts = `CAST(CAST(${sql} AS JSON) AS VARCHAR[])`;
      return value === undefined
        ? `CAST(${texts} AS ${element.type}[])`
        : `list_transform(${texts}, lambda element: ${value('element')})`;
    },
  };
}
