import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';

/** PostgreSQL's NAMEDATALEN; longer names are cut, and two of them may become one. */
const MAX_NAME_BYTES = 63;

export interface TableName {
  /** As written; absent when the table is looked up by the search path. */
  schema?: string;
  name: string;
  /** Quoted: names are taken exactly as they are written, case included. */
  sql: string;
}

/** `table` or `schema.table`. */
export function parseTableName(written: string): TableName {
  const parts = written.split('.');
  const [first = '', second] = parts;
  const wrong = parts.length > 2 || parts.some((part) => part === '' || Buffer.byteLength(part) > MAX_NAME_BYTES);
  if (wrong || written.includes('\0')) {
    throw new EngineError('ValidationError', `table: ${written} is no table; expected table or schema.table`);
  }
  return second === undefined
    ? { name: first, sql: quoteIdentifier(first) }
    : { schema: first, name: second, sql: `${quoteIdentifier(first)}.${quoteIdentifier(second)}` };
}
