import type pg from 'pg';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { forgetOldRows, type LedgerRow, setState } from './ledger.ts';
import { findTableByOid, type MigratedTable } from './migrated-table.ts';
import type { RowPlace } from './restore-table.ts';
import type { UndoStep } from './undo-step.ts';

/** Drops for good what was kept for a restore. */
export async function releaseTable(client: pg.Client, row: LedgerRow, { schema, oid, name }: RowPlace): Promise<void> {
  if (row.state === 'completed' || row.state === 'restored') return;
  const table = row.record === null ? undefined : await findTableByOid(client, oid);
  if (table !== undefined && row.record !== null) await dropHidden(client, table, row.record.undo);
  // What was never applied is not applied any more.
  const state = row.state === 'applied' ? 'completed' : 'restored';
  await setState(client, schema, name, { state, wasApplied: row.wasApplied, record: null });
  await forgetOldRows(client, schema);
}

async function dropHidden(client: pg.Client, table: MigratedTable, undo: readonly UndoStep[]): Promise<void> {
  for (const step of undo) {
    const columns =
      step.kind === 'unhide_column' ? [step.hidden] : step.kind === 'retype_column' ? [step.old, step.copy] : [];
    for (const column of columns) {
      if (column !== null)
        await client.query(`ALTER TABLE ${table.sql} DROP COLUMN IF EXISTS ${quoteIdentifier(column)}`);
    }
    if (step.kind === 'unhide_index') {
      await client.query(`DROP INDEX IF EXISTS ${quoteIdentifier(table.schema)}.${quoteIdentifier(step.hidden)}`);
    }
  }
}
