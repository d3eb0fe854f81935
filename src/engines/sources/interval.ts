import { EngineError } from '../../errors.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';

/** The partition that a run is about: rows with `start <= column < end`. */
export interface Interval {
  column: string;
  /** ISO 8601 with an offset, written in the pipeline's own time zone. */
  startIso: string;
  endIso: string;
}

export interface SqlCondition {
  sql: string;
  parameters: Record<string, string>;
}

/**
 * The condition on the rows of an interval, in DuckDB's SQL; undefined when the source does not have the column, since
 * such a source is read whole.
 *
 * A column without time zone holds wall-clock times of the pipeline's zone, so it is compared with the interval as
 * written, its offset dropped (which is what a cast of ISO text to TIMESTAMP does).
 */
export function intervalCondition(
  interval: Interval | undefined,
  columns: readonly { name: string; type: string }[],
): SqlCondition | undefined {
  const column = columns.find(({ name }) => name.toLowerCase() === interval?.column.toLowerCase());
  if (interval === undefined || column === undefined) return undefined;
  const type = comparableType(column);
  const value = `CAST(${quoteIdentifier(column.name)} AS ${type})`;
  return {
    sql: `${value} >= CAST($interval_start AS ${type}) AND ${value} < CAST($interval_end AS ${type})`,
    parameters: { interval_start: interval.startIso, interval_end: interval.endIso },
  };
}

/**
 * The same for one column, with the times in it: for statements that take no parameters.
 *
 * @param sql of the column's value
 */
export function withinInterval(
  { startIso, endIso }: Interval,
  { sql, ...column }: { sql: string; name: string; type: string },
): string {
  const type = comparableType(column);
  const at = (iso: string) => `CAST(${quoteLiteral(iso)} AS ${type})`;
  return `(CAST(${sql} AS ${type}) >= ${at(startIso)} AND CAST(${sql} AS ${type}) < ${at(endIso)})`;
}

function comparableType({ name, type }: { name: string; type: string }): string {
  if (type === 'TIMESTAMP WITH TIME ZONE' || type === 'TIMESTAMPTZ') return 'TIMESTAMPTZ';
  // Text is read as ISO 8601; text that is not fails the step.
  if (type === 'DATE' || type === 'VARCHAR' || /^TIMESTAMP(_S|_MS|_NS)?$/.test(type)) return 'TIMESTAMP';
  throw new EngineError(
    'ValidationError',
    `partitioning.column: ${name} is ${type}, which has no place in an interval; expected a date or a timestamp`,
  );
}
