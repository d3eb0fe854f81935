/** What the rows of a table say about changes that have not been made. Bounded in time: a large table is not read whole. */
import pg from 'pg';
import { EngineError, messageOf } from '../../../errors.ts';
import type { PostgresChange } from '../../../schemas/migration.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { changeName } from './change-table.ts';
import type { MigratedTable } from './migrated-table.ts';
import { canonicalType, isLossless } from './retype-column.ts';
import type { TableShape } from './table-shape.ts';

const LOOK_FOR_MS = 5_000;

/** Exactly, or as the server estimates when counting takes long. */
export async function countRows(client: pg.Client, table: MigratedTable): Promise<{ rows: number; exact: boolean }> {
  const counted = await look<{ rows: string }>(client, `SELECT count(*)::text AS rows FROM ${table.sql}`);
  return counted === undefined || counted === null
    ? { rows: Math.max(table.estimatedRows, 0), exact: false }
    : { rows: Number(counted.rows), exact: true };
}

/**
 * @returns warnings
 * @throws EngineError `SchemaConflictError` when rows surely stand in the way
 */
export async function lookAtRows(
  client: pg.Client,
  table: MigratedTable,
  changes: readonly PostgresChange[],
  shape: TableShape,
): Promise<string[]> {
  const warnings: string[] = [];
  const touched = new Set<string>();
  for (const [at, change] of changes.entries()) {
    // The rows are as they are before the migration: they tell nothing about what an earlier change made of them.
    if (change.op === 'sql') break;
    const column = 'column' in change ? shape.columns.find(({ name }) => name === change.column) : undefined;
    if (column !== undefined && !touched.has(column.name)) {
      const found = await lookAt(client, table, change, at, column.type);
      if (found !== undefined) warnings.push(found);
    }
    if ('column' in change && change.column !== undefined) touched.add(change.column);
    if (change.op === 'rename_column') touched.add(change.to);
  }
  return warnings;
}

async function lookAt(
  client: pg.Client,
  table: MigratedTable,
  change: PostgresChange,
  at: number,
  type: string,
): Promise<string | undefined> {
  const where = changeName(at, change);
  if (change.op === 'set_required') {
    const name = quoteIdentifier(change.column);
    const found = await look(
      client,
      `SELECT count(*) FROM (SELECT FROM ${table.sql} WHERE ${name} IS NULL LIMIT 1) n HAVING count(*) > 0`,
    );
    if (found === null) return undefined;
    if (found === undefined) return `${where}: the table is too large to look for rows without a value`;
    throw new EngineError('SchemaConflictError', `${where}: rows of the table have no value in ${change.column}`);
  }
  if (change.op !== 'retype_column') return undefined;
  const name = quoteIdentifier(change.column);
  const wide = await canonicalType(client, change.type);
  if (change.using === undefined && isLossless(type, wide)) return undefined;
  const value = change.using === undefined ? `${name}::${wide}` : `(${change.using}\n)`;
  const lossless =
    change.using === undefined
      ? `${value}::text::${type}::text IS DISTINCT FROM ${name}::text`
      : `${value} IS NULL AND ${name} IS NOT NULL`;
  let lost: { lost: string } | null | undefined;
  try {
    lost = await look<{ lost: string }>(
      client,
      `SELECT count(*) FILTER (WHERE ${lossless})::text AS lost FROM ${table.sql}`,
    );
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || change.using === undefined) return `${where}: ${messageOf(error)}`;
    throw new EngineError('SchemaConflictError', `${where}: ${messageOf(error)}`, { cause: error });
  }
  if (lost === undefined) return `${where}: the table is too large to look for values that do not fit`;
  if (lost === null || lost.lost === '0') return undefined;
  return change.using === undefined
    ? `${where}: ${lost.lost} rows hold values that ${change.type} does not hold as they are`
    : `${where}: using makes the values of ${lost.lost} rows null`;
}

/** The first row; null: there is none; undefined: it took too long. */
async function look<Row extends pg.QueryResultRow>(client: pg.Client, sql: string): Promise<Row | null | undefined> {
  await client.query('SAVEPOINT look');
  try {
    await client.query(`SELECT set_config('statement_timeout', '${LOOK_FOR_MS}ms', true)`);
    const { rows } = await client.query<Row>(sql);
    return rows[0] ?? null;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '57014') return undefined;
    throw error;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT look');
  }
}
