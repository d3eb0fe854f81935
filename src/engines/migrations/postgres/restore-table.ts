import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import type { RestoredTable } from '../table-migrator.ts';
import { type AppliedRecord, type LedgerRow, setState } from './ledger.ts';
import { findTableByOid, type MigratedTable } from './migrated-table.ts';
import { describePart, differingParts, partsOf, shapeOf, type TableShape } from './table-shape.ts';
import { reconcileDefinitions, undoChange } from './undo-changes.ts';

/** Where the migration's row is, which the transaction holds. */
export interface RowPlace {
  schema: string;
  oid: string;
  name: string;
}

/** @throws EngineError `SchemaConflictError` when it cannot be done without harm: nothing is changed then */
export async function restoreTable(client: pg.Client, row: LedgerRow, place: RowPlace): Promise<RestoredTable> {
  if (row.state === 'restored') return { changed: row.wasApplied, notes: [] };
  if (row.state === 'completed') throw refusal('the migration is over, and what it kept for a restore is gone');
  const { schema, name } = place;
  if (row.state === 'ready' || row.record === null) {
    await setState(client, schema, name, { ...row, state: 'restored' });
    return { changed: false, notes: [] };
  }
  const table = await findTableByOid(client, place.oid);
  if (table === undefined) throw refusal('the table was dropped since it was migrated');
  await client.query(`LOCK TABLE ${table.sql} IN ACCESS EXCLUSIVE MODE`);
  const notes = await putBack(client, table, row.record);
  await setState(client, schema, name, { ...row, state: 'restored', record: null });
  return { changed: true, notes };
}

async function putBack(client: pg.Client, table: MigratedTable, record: AppliedRecord): Promise<string[]> {
  const { before, after, undo } = record;
  const now = await shapeOf(client, table);
  const ours = differingParts(before, after);
  const others = differingParts(after, now);
  const both = others.filter((part) => ours.includes(part));
  if (both.length > 0) {
    const parts = both.map((part) => describePart(part, before, after, now)).join(', ');
    throw refusal(`others changed since what the migration changed: ${parts}`);
  }
  const notes = await notesOn(client, table, undo);
  for (const step of undo.toReversed()) await undoChange({ client, table }, step);
  await reconcileDefinitions({ client, table }, withoutParts(before, others), await shapeOf(client, table));
  const left = differingParts(before, await shapeOf(client, table)).filter((part) => !others.includes(part));
  if (left.length > 0) {
    const parts = left.map((part) => describePart(part, before, after)).join(', ');
    throw refusal(`this would not be as it was before: ${parts}`);
  }
  if (others.length > 0) {
    const parts = others.map((part) => describePart(part, now, after)).join(', ');
    notes.push(`what others changed since was left as it is: ${parts}`);
  }
  return notes;
}

/** Values that only the new schema has a place for. */
async function notesOn(client: pg.Client, table: MigratedTable, undo: AppliedRecord['undo']): Promise<string[]> {
  const notes: string[] = [];
  const renamed = undo.some(({ kind }) => kind === 'rename_column' || kind === 'unhide_column' || kind === 'sql');
  for (const step of undo) {
    if (step.kind !== 'drop_column' || renamed) continue;
    const column = `"${step.column.replaceAll('"', '""')}"`;
    const { rowCount } = await client.query(`SELECT FROM ${table.sql} WHERE ${column} IS NOT NULL LIMIT 1`);
    if (rowCount !== 0) notes.push(`the new column ${step.column} is gone, and the values in it`);
  }
  return notes;
}

/** Without what others changed: that is theirs. */
function withoutParts(shape: TableShape, others: readonly string[]): TableShape {
  const known = partsOf(shape);
  const isOurs = (part: string): boolean => known.has(part) && !others.includes(part);
  return {
    ...shape,
    constraints: shape.constraints.filter(({ name }) => isOurs(`constraint ${name}`)),
    indexes: shape.indexes.filter(({ name }) => isOurs(`index ${name}`)),
  };
}

function refusal(reason: string): EngineError {
  const message = `the table was not put back, and stays as the migration left it: ${reason}`;
  return new EngineError('SchemaConflictError', message);
}
