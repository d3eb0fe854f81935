import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import type { Interval } from '../sources/interval.ts';
import type { TargetTable, WrittenColumn } from './postgres-table.ts';

/**
 * Deletes the rows of an interval, in the transaction that then adds the new ones. A column without time zone holds
 * wall-clock times of the interval's zone, as in `interval.ts`.
 *
 * @throws EngineError `ValidationError` when the table's column has no place in an interval
 */
export async function deleteRowsOfInterval(
  client: pg.Client,
  table: TargetTable,
  columns: readonly WrittenColumn[],
  { column, startIso, endIso }: Interval,
): Promise<void> {
  const name = columns.find((written) => written.name.toLowerCase() === column.toLowerCase())?.name ?? column;
  const { rows } = await client.query<{ type: string }>(
    `SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type
       FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attname = $2`,
    [table.sql, name],
  );
  const type = rows[0]?.type ?? 'missing';
  const compared = COMPARED_AS[type];
  if (compared === undefined) {
    throw new EngineError(
      'ValidationError',
      `partitioning.column: ${name} is ${type} in ${table.schema}.${table.name}, which has no place in an interval; expected a date or a timestamp`,
    );
  }
  // PostgreSQL's TIMESTAMP takes the clock's time of an ISO text and leaves its offset.
  const value = `${quoteIdentifier(name)}::${compared}`;
  await client.query(
    `DELETE FROM ${table.sql} WHERE ${value} >= $1::text::${compared} AND ${value} < $2::text::${compared}`,
    [startIso, endIso],
  );
}

const COMPARED_AS: Readonly<Record<string, string>> = {
  date: 'timestamp',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  text: 'timestamp',
  'character varying': 'timestamp',
};
