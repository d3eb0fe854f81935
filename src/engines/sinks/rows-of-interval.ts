import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { type Interval, withinInterval } from '../sources/interval.ts';

/**
 * A load that replaces the rows of an interval may bring only rows of it, or doing it twice would add rows twice (spec
 * section 2, "a row outside the interval fails the partition").
 *
 * @param relation the rows: a table of the session
 * @throws EngineError `ValidationError` when they do not have the column, or a row has no value in it, or another one
 */
export async function refuseRowsOutside(session: DuckDbSession, relation: string, interval: Interval): Promise<void> {
  const { columns } = await session.describe(`SELECT * FROM ${relation}`);
  const column = columns.find(({ name }) => name.toLowerCase() === interval.column.toLowerCase());
  if (column === undefined) {
    const there = columns.map(({ name }) => name).join(', ');
    throw new EngineError(
      'ValidationError',
      `partitioning.column: the rows for the sink have no column ${interval.column}, by which those of an interval are replaced; they have ${there}`,
    );
  }
  const within = withinInterval(interval, { ...column, sql: quoteIdentifier(column.name) });
  const [counted] = await session.rows(
    `SELECT count(*) FILTER (${within} IS NOT TRUE)::DOUBLE AS others FROM ${relation}`,
  );
  const others = Number(counted?.['others'] ?? 0);
  if (others > 0) {
    throw new EngineError(
      'ValidationError',
      `${others} rows have a ${column.name} that is not in the interval from ${interval.startIso} to ${interval.endIso}`,
    );
  }
}
