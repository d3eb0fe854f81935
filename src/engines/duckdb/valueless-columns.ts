import type { DuckDbSession } from './duckdb-session.ts';
import { quoteLiteral } from './quote.ts';

/** DuckDB's name of the type of a bare NULL: what it says of a column without any value, whatever type it landed with. */
export const NO_TYPE = '"NULL"';

/**
 * The given columns, those of type VARCHAR that hold no value at all with {@link NO_TYPE} instead: a CSV or JSON file in
 * which a column is empty in every row says nothing of its type, and text is only what stands for that in Parquet. Read
 * from the files' footers, in which a column without statistics counts as one with values.
 *
 * @param input its name among the session's inputs
 */
export async function withoutValuelessTypes<T extends { name: string; type: string }>(
  session: DuckDbSession,
  input: string,
  columns: readonly T[],
): Promise<T[]> {
  if (!columns.some(({ type }) => type === 'VARCHAR')) return [...columns];
  const list = (session.inputFiles.get(input) ?? []).map(quoteLiteral).join(', ');
  const filled = await session.rows(
    `SELECT DISTINCT path_in_schema AS name FROM parquet_metadata([${list}]) WHERE stats_null_count IS DISTINCT FROM num_values`,
  );
  const names = new Set(filled.map(({ name }) => name));
  return columns.map((column) =>
    column.type === 'VARCHAR' && !names.has(column.name) ? { ...column, type: NO_TYPE } : column,
  );
}
