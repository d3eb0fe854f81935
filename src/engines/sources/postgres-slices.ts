/** Which rows of a PostgreSQL source are read: by watermark, by interval, and cut into parts that are read in parallel. */
import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import type { Interval } from './interval.ts';
import type { PostgresColumn } from './postgres-columns.ts';

/** A condition whose placeholders are numbered by where its values go. */
export interface Slice {
  where: string;
  values: readonly unknown[];
}

/**
 * Rows beyond the last run's watermark, and not beyond `upTo`. NULLs are no progress: they are read by the first run
 * only, and again when just its rows are.
 */
export function withinWatermarks(
  slice: Slice,
  column: PostgresColumn,
  { watermark, upTo }: { watermark?: string; upTo?: string | null },
): Slice {
  if (!['whole number', 'number', 'instant', 'date', 'text'].includes(column.kind)) {
    throw new EngineError(
      'ValidationError',
      `watermark_column: ${column.name} is ${column.postgresType}; expected a number, date, timestamp or text`,
    );
  }
  const name = watermarkSql(column);
  const after = watermark === undefined ? slice : and(slice, `${name} >`, column.postgresType, watermark);
  if (upTo === undefined) return after;
  if (upTo === null) return { ...after, where: `${after.where} AND ${name} IS NULL` };
  return and(after, `${name} <=`, column.postgresType, upTo, watermark === undefined ? `${name} IS NULL` : undefined);
}

/** What the watermark is of. Text goes by its bytes, since a collation may call different texts equal. */
export function watermarkSql(column: PostgresColumn): string {
  return column.kind === 'text' ? `${quoteIdentifier(column.name)} COLLATE "C"` : quoteIdentifier(column.name);
}

/** A source without the interval's column is read whole. For columns without time zone see `interval.ts`. */
export function withinInterval(
  slice: Slice,
  columns: readonly PostgresColumn[],
  interval: Interval | undefined,
): Slice {
  const column = columns.find(({ name }) => name.toLowerCase() === interval?.column.toLowerCase());
  if (interval === undefined || column === undefined) return slice;
  if (column.kind !== 'instant' && column.kind !== 'date') {
    throw new EngineError(
      'ValidationError',
      `partitioning.column: ${column.name} is ${column.postgresType}, which has no place in an interval; expected a date or a timestamp`,
    );
  }
  const type = column.kind === 'date' ? 'timestamp' : column.postgresType;
  const name = quoteIdentifier(column.name);
  return and(and(slice, `${name} >=`, type, interval.startIso), `${name} <`, type, interval.endIso);
}

/**
 * The slice cut into at most `count` parts of equal width of the column. Together they hold every row once: NULLs are
 * in the first part, what is beyond the largest value seen (none, within one snapshot) in the last.
 */
export async function cutIntoParts(
  client: pg.Client,
  from: string,
  slice: Slice,
  column: PostgresColumn,
  count: number,
): Promise<Slice[]> {
  const name = quoteIdentifier(column.name);
  const result = await client.query<{ bound: string }>(
    `SELECT DISTINCT ON (b) b::text AS bound FROM (SELECT ${boundSql(column, count)} AS b FROM (SELECT min(${name}) AS lo, max(${name}) AS hi FROM ${from} AS q WHERE ${slice.where}) AS ends, generate_series(1, ${count - 1}) AS i WHERE lo < hi) AS bounds ORDER BY b`,
    [...slice.values],
  );
  const bounds = result.rows.map((row) => row.bound);
  if (bounds.length === 0) return [slice];
  const orNull = `${name} IS NULL`;
  return [undefined, ...bounds].map((lower, at) => {
    const upper = bounds[at];
    if (lower === undefined) return and(slice, `${name} <`, column.postgresType, upper ?? '', orNull);
    const open = and(slice, `${name} >=`, column.postgresType, lower);
    return upper === undefined ? open : and(open, `${name} <`, column.postgresType, upper);
  });
}

function boundSql(column: PostgresColumn, count: number): string {
  switch (column.kind) {
    case 'whole number':
      return `trunc(lo::numeric + (hi::numeric - lo::numeric) * i / ${count})::bigint`;
    case 'number':
      return `lo + (hi - lo) * i / ${count}`;
    case 'date':
      return `lo + (hi - lo) * i / ${count}`;
    case 'instant':
      return `lo + (hi - lo) * (i::double precision / ${count})`;
    case 'text':
    case 'other':
      throw new EngineError(
        'ValidationError',
        `partition_column: ${column.name} is ${column.postgresType}; expected a number, a date or a timestamp`,
      );
  }
}

function and(slice: Slice, comparison: string, type: string, value: string, or?: string): Slice {
  const values = [...slice.values, value];
  return {
    where: `${slice.where} AND (${comparison} CAST($${values.length} AS ${type})${or === undefined ? '' : ` OR ${or}`})`,
    values,
  };
}
