/** The keys of the rows to be merged: that they can be merged, and where in the table rows of theirs may be. */
import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import type { ColumnRange } from './column-ranges.ts';
import { parseDuckDbText } from './duckdb-value.ts';
import type { LoadPlan } from './load-plan.ts';
import { isOrdered } from './ordered-transform.ts';
import { isPrimitive, type NestedField } from './schema.ts';
import { ROWS } from './write-data-files.ts';
import { castColumn, INPUT } from './written-load.ts';

/** @throws EngineError `ValidationError` when a key is no plain column of both the table and the rows */
export function mergeKeyColumns(plan: LoadPlan, mergeKeys: readonly string[]): NestedField[] {
  if (mergeKeys.length === 0) throw new EngineError('ValidationError', 'a merge needs merge_keys');
  return mergeKeys.map((name) => {
    const field = plan.columns.find((column) => column.name === name);
    if (field === undefined || !isPrimitive(field.type)) {
      throw new EngineError('ValidationError', `merge_keys names ${name}, which is no plain column of the rows`);
    }
    return field;
  });
}

/**
 * How many rows there are.
 *
 * @throws EngineError `ValidationError` when a key is null, or two rows have the same
 */
export async function checkMergeKeys(session: DuckDbSession, keys: readonly NestedField[]): Promise<bigint> {
  const columns = keys.map(castColumn);
  const names = keys.map((key) => key.name).join(', ');
  const isNull = columns.map((sql) => `${sql} IS NULL`).join(' OR ');
  const [counted] = await session.rows(
    `SELECT count(*) AS rows, count(*) FILTER (${isNull}) AS nulls FROM ${INPUT} AS ${ROWS}`,
  );
  if (counted?.['nulls'] !== 0n) {
    throw new EngineError(
      'ValidationError',
      `${String(counted?.['nulls'])} rows have no value in a merge key (${names})`,
    );
  }
  const [repeated] = await session.rows(
    `SELECT count(*) AS keys FROM (SELECT 1 FROM ${INPUT} AS ${ROWS} GROUP BY ${columns.join(', ')} HAVING count(*) > 1)`,
  );
  if (repeated?.['keys'] !== 0n) {
    throw new EngineError(
      'ValidationError',
      `${String(repeated?.['keys'])} merge keys (${names}) occur in more than one row; one row would win by chance`,
    );
  }
  return counted['rows'] as bigint;
}

/** The smallest and largest value of each key that has an order; none when there are no rows. */
export async function keyRanges(session: DuckDbSession, keys: readonly NestedField[]): Promise<ColumnRange[]> {
  const ordered = keys.flatMap((key) => {
    const { type } = key;
    return isPrimitive(type) && isOrdered(type) ? [{ key, type }] : [];
  });
  if (ordered.length === 0) return [];
  const sums = ordered.flatMap(({ key }, at) => [
    `CAST(min(${castColumn(key)}) AS VARCHAR) AS least_${at}`,
    `CAST(max(${castColumn(key)}) AS VARCHAR) AS most_${at}`,
  ]);
  const [row] = await session.rows(`SELECT ${sums.join(', ')} FROM ${INPUT} AS ${ROWS}`);
  return ordered.flatMap(({ key, type }, at): ColumnRange[] => {
    const [least, most] = [row?.[`least_${at}`], row?.[`most_${at}`]];
    if (typeof least !== 'string' || typeof most !== 'string') return [];
    return [{ id: key.id, type, smallest: parseDuckDbText(type, least), largest: parseDuckDbText(type, most) }];
  });
}
