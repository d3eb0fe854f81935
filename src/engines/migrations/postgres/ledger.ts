/**
 * Which migrations a PostgreSQL schema has had, and how each can be undone (spec section 2): a row that is changed in the
 * same transaction as the table. Whoever changes either holds the row, so that two calls for one migration come one after
 * the other, also when one of them is of an attempt that was thought dead.
 */
import type pg from 'pg';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import type { TableShape } from './table-shape.ts';
import type { UndoStep } from './undo-step.ts';

const TABLE = 'pipeline_migrations';
/** As for loads: far longer than anybody can ask for a migration again. */
const KEPT = '400 days';

/** `ready`: nothing was changed yet; `completed`: applied for good, and nothing was kept for a restore. */
type MigrationState = 'ready' | 'applied' | 'restored' | 'completed';

/** What an applied migration did. */
export interface AppliedRecord {
  before: TableShape;
  after: TableShape;
  undo: UndoStep[];
}

export interface LedgerRow {
  state: MigrationState;
  /** Whether it stands applied, or stood so before it was restored. */
  wasApplied: boolean;
  record: AppliedRecord | null;
}

/** Makes the ledger beside the table, once. */
export async function ensureLedger(client: pg.Client, schema: string): Promise<void> {
  const ledger = ledgerOf(schema);
  const found = await client.query('SELECT FROM pg_class WHERE oid = to_regclass($1)', [ledger]);
  if (found.rowCount === 1) return;
  await client.query('BEGIN READ WRITE');
  // IF NOT EXISTS alone fails when two make it at once.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`pipeline-service ${ledger}`]);
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${ledger} (name text PRIMARY KEY, table_name text NOT NULL, table_oid oid NOT NULL,
       state text NOT NULL, was_applied boolean NOT NULL DEFAULT false, record jsonb, changed_at timestamptz NOT NULL DEFAULT now())`,
  );
  await client.query('COMMIT');
}

/** Adds the migration's row, unless it is there. */
export async function addRow(
  client: pg.Client,
  schema: string,
  row: { name: string; table: string; oid: string },
): Promise<void> {
  await client.query(
    `INSERT INTO ${ledgerOf(schema)} (name, table_name, table_oid, state) VALUES ($1, $2, $3::oid, 'ready')
     ON CONFLICT (name) DO NOTHING`,
    [row.name, row.table, row.oid],
  );
}

/** The migration's row, which nobody else changes until the transaction ends. */
export async function holdRow(client: pg.Client, schema: string, name: string): Promise<LedgerRow | undefined> {
  const { rows } = await client.query<LedgerRow>(
    `SELECT state, was_applied AS "wasApplied", record FROM ${ledgerOf(schema)} WHERE name = $1 FOR UPDATE`,
    [name],
  );
  return rows[0];
}

export async function setState(
  client: pg.Client,
  schema: string,
  name: string,
  { state, wasApplied, record }: LedgerRow,
): Promise<void> {
  await client.query(
    `UPDATE ${ledgerOf(schema)} SET state = $2, was_applied = $3, record = $4::jsonb, changed_at = now() WHERE name = $1`,
    [name, state, wasApplied, record === null ? null : JSON.stringify(record)],
  );
}

/** Forgets those that are long over. */
export async function forgetOldRows(client: pg.Client, schema: string): Promise<void> {
  await client.query(
    `DELETE FROM ${ledgerOf(schema)} WHERE state IN ('completed', 'restored') AND changed_at < now() - interval '${KEPT}'`,
  );
}

function ledgerOf(schema: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(TABLE)}`;
}
