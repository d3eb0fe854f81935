import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import type { TargetTable, WrittenColumn } from './postgres-table.ts';

const STAGED = 'pg_temp.pipeline_merge';

/** A table of the same columns that lives as long as the transaction; its name, quoted. */
export async function stageForMerge(
  client: pg.Client,
  table: TargetTable,
  columns: readonly WrittenColumn[],
): Promise<string> {
  const list = columns.map(({ sql }) => sql).join(', ');
  await client.query(
    `CREATE TEMP TABLE pipeline_merge ON COMMIT DROP AS SELECT ${list} FROM ${table.sql} WITH NO DATA`,
  );
  return STAGED;
}

/**
 * Updates the rows whose keys are equal and adds the others. By comparison, not by ON CONFLICT, which needs a unique
 * index that the table may not have; the lock that the caller holds keeps others from adding the same keys meanwhile.
 *
 * @throws EngineError `ValidationError` when a key is NULL, or two rows have the same
 */
export async function mergeRows(
  client: pg.Client,
  table: TargetTable,
  columns: readonly WrittenColumn[],
  keys: readonly string[],
): Promise<void> {
  await client.query(`ANALYZE ${STAGED}`);
  const keyList = keys.map(quoteIdentifier);
  const anyNull = keyList.map((key) => `${key} IS NULL`).join(' OR ');
  if (await exists(client, `SELECT 1 FROM ${STAGED} WHERE ${anyNull}`)) {
    throw new EngineError('ValidationError', `merge_keys: a row has no value in ${keys.join(' or ')}`);
  }
  if (await exists(client, `SELECT 1 FROM ${STAGED} GROUP BY ${keyList.join(', ')} HAVING count(*) > 1`)) {
    throw new EngineError('ValidationError', `merge_keys: two rows have the same ${keys.join(', ')}`);
  }
  const equal = keyList.map((key) => `t.${key} = s.${key}`).join(' AND ');
  const others = columns.filter(({ name }) => !keys.includes(name)).map(({ sql }) => sql);
  if (others.length > 0) {
    const assignments = others.map((column) => `${column} = s.${column}`).join(', ');
    await client.query(`UPDATE ${table.sql} AS t SET ${assignments} FROM ${STAGED} AS s WHERE ${equal}`);
  }
  const list = columns.map(({ sql }) => sql).join(', ');
  await client.query(
    `INSERT INTO ${table.sql} (${list}) SELECT ${list} FROM ${STAGED} AS s WHERE NOT EXISTS (SELECT 1 FROM ${table.sql} AS t WHERE ${equal})`,
  );
}

async function exists(client: pg.Client, query: string): Promise<boolean> {
  return (await client.query(`${query} LIMIT 1`)).rowCount === 1;
}
