/** Which of a table's data files store a column in the wider type that a migration gave it, and whether its values fit before. */
import { EngineError } from '../../../errors.ts';
import type { DuckDbSession } from '../../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../../duckdb/quote.ts';
import type { Schema, StructType } from '../../iceberg/schema.ts';
import { columnName, tableRows } from '../../iceberg/table-rows.ts';
import { doesNotFit, isStoredWide, type RetypedColumn } from './retyped-column.ts';

/** Rows with values of a column that are none of its narrower type. */
export interface Misfits {
  rows: bigint;
  example: string;
}

/** The columns of `before`, as the widest of the files have them: nothing is lost in reading. */
export function readWide(before: Schema, retyped: readonly RetypedColumn[]): StructType {
  const wide = new Map(retyped.map((column) => [column.field.id, column.wide]));
  return {
    type: 'struct',
    fields: before.fields.map((field) => ({ ...field, type: wide.get(field.id) ?? field.type })),
  };
}

/** Positions of the files whose footers say that they store one of the columns wider than it was. */
export async function filesStoredWide(
  session: DuckDbSession,
  paths: readonly string[],
  retyped: readonly RetypedColumn[],
): Promise<Set<number>> {
  const rows = await session.rows(
    `SELECT DISTINCT file_name AS name FROM parquet_schema([${paths.map(quoteLiteral).join(', ')}])
      WHERE ${retyped.map(isStoredWide).join(' OR ')}`,
  );
  const wide = new Set(rows.map(({ name }) => name as string));
  return new Set([...paths.keys()].filter((at) => wide.has(paths[at] ?? '')));
}

/** Of each of the columns that has any. */
export async function findMisfits(
  session: DuckDbSession,
  paths: readonly string[],
  before: Schema,
  retyped: readonly RetypedColumn[],
): Promise<Map<RetypedColumn, Misfits>> {
  const asked = retyped.map((column, at) => {
    const bad = `FILTER (WHERE ${doesNotFit(column)})`;
    return `count(*) ${bad} AS rows_${at}, CAST(min(${columnName(column.field.id)}) ${bad} AS VARCHAR) AS example_${at}`;
  });
  const [row] = await session.rows(`SELECT ${asked.join(', ')} FROM ${tableRows(paths, readWide(before, retyped))}`);
  const found = retyped.map((column, at): [RetypedColumn, Misfits] => {
    return [column, { rows: row?.[`rows_${at}`] as bigint, example: String(row?.[`example_${at}`]) }];
  });
  return new Map(found.filter(([, { rows }]) => rows > 0n));
}

/** @throws EngineError `SchemaConflictError` that names the columns, when there are any misfits */
export function refuseMisfits(found: readonly ReadonlyMap<RetypedColumn, Misfits>[]): void {
  const columns = new Set(found.flatMap((misfits) => [...misfits.keys()]));
  const told = Array.from(columns, (column) => {
    const all = found.flatMap((misfits) => misfits.get(column) ?? []);
    const rows = all.reduce((sum, misfits) => sum + misfits.rows, 0n);
    return `${rows} rows written since hold values in ${column.field.name} that are no ${column.narrow}, such as ${all[0]?.example ?? ''}`;
  });
  if (told.length === 0) return;
  const message = `${told.join('; ')}; change or delete them, or keep the new type`;
  throw new EngineError('SchemaConflictError', message);
}
