/**
 * Which loads a PostgreSQL schema has had (spec section 2): a row of a load's own transaction, so it is there when the
 * rows are, and only then.
 */
import type pg from 'pg';
import { quoteIdentifier } from '../duckdb/quote.ts';
import type { TargetTable } from './postgres-table.ts';

const TABLE = 'pipeline_loads';

export interface LoadRecord {
  rows: number;
  bytes: number;
}

/** Makes the ledger beside the target, once; a transaction of its own, so that loads do not wait for each other's. */
export async function ensureLedger(client: pg.Client, { schema }: TargetTable): Promise<void> {
  const ledger = ledgerOf(schema);
  if (await isThere(client, ledger)) return;
  await client.query('BEGIN READ WRITE');
  // IF NOT EXISTS alone fails when two make it at once.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`pipeline-service ${ledger}`]);
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${ledger} (load_name text PRIMARY KEY, table_name text NOT NULL, rows bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0, committed_at timestamptz NOT NULL DEFAULT now())`,
  );
  await client.query('COMMIT');
}

/**
 * Takes the load's name within the open transaction. Another attempt that holds it is waited for: when it commits, this
 * answers its record, and there is nothing left to do; when it does not, the name is ours.
 */
export async function claimLoad(
  client: pg.Client,
  table: TargetTable,
  loadName: string,
): Promise<LoadRecord | undefined> {
  const ledger = ledgerOf(table.schema);
  const claimed = await client.query(
    `INSERT INTO ${ledger} (load_name, table_name) VALUES ($1, $2) ON CONFLICT (load_name) DO NOTHING`,
    [loadName, table.name],
  );
  if (claimed.rowCount === 1) return undefined;
  const record = await client.query<{ rows: string; bytes: string }>(
    `SELECT rows::text AS rows, bytes::text AS bytes FROM ${ledger} WHERE load_name = $1`,
    [loadName],
  );
  return { rows: Number(record.rows[0]?.rows ?? 0), bytes: Number(record.rows[0]?.bytes ?? 0) };
}

/** Which of the loads have been committed to the table. */
export async function findLoads(client: pg.Client, table: TargetTable, loadNames: string[]): Promise<Set<string>> {
  const ledger = ledgerOf(table.schema);
  if (!(await isThere(client, ledger))) return new Set();
  const found = await client.query<{ name: string }>(
    `SELECT load_name AS name FROM ${ledger} WHERE load_name = ANY($1) AND table_name = $2`,
    [loadNames, table.name],
  );
  return new Set(found.rows.map(({ name }) => name));
}

export async function recordLoad(
  client: pg.Client,
  table: TargetTable,
  loadName: string,
  { rows, bytes }: LoadRecord,
): Promise<void> {
  await client.query(
    `UPDATE ${ledgerOf(table.schema)} SET rows = $2, bytes = $3, committed_at = now() WHERE load_name = $1`,
    [loadName, rows, bytes],
  );
}

async function isThere(client: pg.Client, ledger: string): Promise<boolean> {
  const found = await client.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [ledger]);
  return found.rowCount === 1;
}

function ledgerOf(schema: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(TABLE)}`;
}
