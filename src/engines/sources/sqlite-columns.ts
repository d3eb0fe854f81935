/**
 * SQLite types its values, not its columns (sqlite.org/datatype3.html): a column lands with the type that it was
 * declared with when all its values are of it, and otherwise with one that holds them all.
 */
import { EngineError } from '../../errors.ts';
import type { TextColumn } from './text-rows.ts';

/** A column as SQLite describes it, and how many of its values are of which storage class. */
export interface SqliteColumn {
  name: string;
  /** Upper case; empty for an expression. */
  declared: string;
  integers: number;
  reals: number;
  texts: number;
  blobs: number;
  /** Integers that are neither 0 nor 1. */
  notBoolean: number;
  /** Integers that a double cannot hold exactly. */
  wide: number;
  /** Texts that are no day, and no day with a time, of ISO 8601 without zone. */
  notDate: number;
  notTimestamp: number;
}

/** For each column, the SQL of the counts of {@link SqliteColumn}, in their order. */
export function countsOf(column: string): string[] {
  const day = `substr(${column}, 1, 10)`;
  const isDay = `${column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' AND date(${day}) = ${day}`;
  const isTime = `substr(${column}, 11) GLOB '[T ][0-9][0-9]:[0-9][0-9]*' AND substr(${column}, 11) NOT GLOB '*[-+Zz]*' AND time(substr(${column}, 12)) IS NOT NULL`;
  const texts = (wrong: string) => `coalesce(sum(typeof(${column}) = 'text' AND NOT (${wrong})), 0)`;
  return [
    ...['integer', 'real', 'text', 'blob'].map((type) => `coalesce(sum(typeof(${column}) = '${type}'), 0)`),
    `coalesce(sum(typeof(${column}) = 'integer' AND ${column} NOT IN (0, 1)), 0)`,
    `coalesce(sum(typeof(${column}) = 'integer' AND ${column} NOT BETWEEN -9007199254740992 AND 9007199254740992), 0)`,
    texts(`coalesce(${isDay} AND length(${column}) = 10, 0)`),
    texts(`coalesce(${isDay} AND (length(${column}) = 10 OR (${isTime})), 0)`),
  ];
}

/** @throws EngineError `ValidationError` for blobs among other values, which no type holds */
export function landingColumn(column: SqliteColumn): TextColumn {
  const { name, blobs } = column;
  if (blobs > 0 || (isEmpty(column) && /BLOB/.test(column.declared))) {
    if (column.integers + column.reals + column.texts > 0) {
      throw new EngineError('ValidationError', `column ${name} holds blobs and other values; read it as one in query`);
    }
    // The reader writes blobs as hexadecimal digits.
    return { name, type: 'BLOB', value: (text) => `unhex(${text})` };
  }
  return { name, type: typeOf(column) };
}

function typeOf(column: SqliteColumn): string {
  const { declared, integers, reals, texts } = column;
  if (texts > 0) {
    if (integers + reals > 0) return 'VARCHAR';
    if (/^DATE$/.test(declared) && column.notDate === 0) return 'DATE';
    if (/^(DATETIME|TIMESTAMP)/.test(declared) && column.notTimestamp === 0) return 'TIMESTAMP';
    return 'VARCHAR';
  }
  if (isEmpty(column)) return typeOfDeclaration(declared);
  if (reals > 0) return column.wide > 0 ? 'VARCHAR' : 'DOUBLE';
  if (/^BOOL/.test(declared) && column.notBoolean === 0) return 'BOOLEAN';
  // SQLite keeps whole numbers of a REAL or NUMERIC column as integers; the next run may bring fractions.
  const mayHaveFractions = /REAL|FLOA|DOUB|NUM|DEC/.test(declared);
  return mayHaveFractions && column.wide === 0 ? 'DOUBLE' : 'BIGINT';
}

/** By SQLite's own rules of affinity, beyond the types that only DuckDB has. */
function typeOfDeclaration(declared: string): string {
  if (/^DATE$/.test(declared)) return 'DATE';
  if (/^(DATETIME|TIMESTAMP)/.test(declared)) return 'TIMESTAMP';
  if (/^BOOL/.test(declared)) return 'BOOLEAN';
  if (/INT/.test(declared)) return 'BIGINT';
  return /CHAR|CLOB|TEXT/.test(declared) || declared === '' ? 'VARCHAR' : 'DOUBLE';
}

function isEmpty({ integers, reals, texts, blobs }: SqliteColumn): boolean {
  return integers + reals + texts + blobs === 0;
}
