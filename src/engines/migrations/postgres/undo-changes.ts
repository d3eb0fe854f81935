/** Undoes what `change-table.ts` did. Within a transaction that holds the table's lock. */
import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { changeConflict } from './change-conflict.ts';
import { changeName, comment, type ChangeContext } from './change-table.ts';
import { withFullNames } from './full-names.ts';
import { runUserSql } from './one-statement.ts';
import { typeWithCollation } from './retype-column.ts';
import type { TableShape } from './table-shape.ts';
import type { UndoStep } from './undo-step.ts';

type UndoContext = Pick<ChangeContext, 'client' | 'table'>;

/** @throws EngineError `SchemaConflictError` that names the change whose undo does not work */
export async function undoChange(context: UndoContext, step: UndoStep): Promise<void> {
  const where = `the undo of ${changeName(step.at, step)}`;
  try {
    if (step.kind === 'sql') await runUserSql(context.client, step.sql);
    else await withFullNames(context.client, () => undone(context, step));
  } catch (error) {
    if (error instanceof EngineError) {
      throw new EngineError(error.type, `${where}: ${error.message}`, { cause: error });
    }
    throw changeConflict(where, error);
  }
}

async function undone(context: UndoContext, step: Exclude<UndoStep, { kind: 'sql' }>): Promise<void> {
  const { client, table } = context;
  const alter = (what: string) => client.query(`ALTER TABLE ${table.sql} ${what}`);
  const ofSchema = (name: string) => `${quoteIdentifier(table.schema)}.${quoteIdentifier(name)}`;
  switch (step.kind) {
    case 'drop_column':
      await alter(`DROP COLUMN ${quoteIdentifier(step.column)}`);
      return;
    case 'unhide_column':
      await alter(`RENAME COLUMN ${quoteIdentifier(step.hidden)} TO ${quoteIdentifier(step.column.name)}`);
      if (step.requiredDropped) await setRequired(context, step.column.name, step.column.requiredBy);
      return;
    case 'rename_column':
      await alter(`RENAME COLUMN ${quoteIdentifier(step.from)} TO ${quoteIdentifier(step.to)}`);
      return;
    case 'retype_column':
      await undoRetype(context, step);
      return;
    case 'set_required':
      await setRequired(context, step.column, step.requiredBy);
      return;
    case 'set_nullable':
      await alter(`ALTER COLUMN ${quoteIdentifier(step.column)} DROP NOT NULL`);
      return;
    case 'set_default':
      await setDefault(context, step.column, step.default);
      return;
    case 'set_comment':
      await comment(context, step.column, step.comment);
      return;
    case 'drop_index':
      await client.query(`DROP INDEX ${ofSchema(step.name)}`);
      return;
    case 'unhide_index':
      await client.query(`ALTER INDEX ${ofSchema(step.hidden)} RENAME TO ${quoteIdentifier(step.name)}`);
      return;
    case 'create_index':
      await createIndex(context, step);
      return;
    case 'drop_constraint':
      await alter(`DROP CONSTRAINT ${quoteIdentifier(step.name)}`);
      return;
    case 'create_constraint':
      await createConstraint(context, step);
  }
}

interface Defined {
  name: string;
  definition: string;
  comment: string | null;
}

async function createIndex(
  { client, table }: UndoContext,
  { name, definition, comment: text }: Defined,
): Promise<void> {
  await client.query(definition);
  if (text === null) return;
  const index = `${quoteIdentifier(table.schema)}.${quoteIdentifier(name)}`;
  await client.query(`COMMENT ON INDEX ${index} IS ${client.escapeLiteral(text)}`);
}

async function createConstraint(
  { client, table }: UndoContext,
  { name, definition, comment: text }: Defined,
): Promise<void> {
  await client.query(`ALTER TABLE ${table.sql} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`);
  if (text === null) return;
  const constraint = `${quoteIdentifier(name)} ON ${table.sql}`;
  await client.query(`COMMENT ON CONSTRAINT ${constraint} IS ${client.escapeLiteral(text)}`);
}

async function setRequired({ client, table }: UndoContext, column: string, requiredBy: string | null): Promise<void> {
  const name = quoteIdentifier(column);
  const { rowCount } = await client.query(`SELECT FROM ${table.sql} WHERE ${name} IS NULL LIMIT 1`);
  if (rowCount !== 0) {
    const message = `${column} must become required again, and rows written since have no value in it; give them one`;
    throw new EngineError('SchemaConflictError', message);
  }
  const how =
    requiredBy === null
      ? `ALTER COLUMN ${name} SET NOT NULL`
      : `ADD CONSTRAINT ${quoteIdentifier(requiredBy)} NOT NULL ${name}`;
  await client.query(`ALTER TABLE ${table.sql} ${how}`);
}

async function setDefault({ client, table }: UndoContext, column: string, value: string | null): Promise<void> {
  const how = value === null ? 'DROP DEFAULT' : `SET DEFAULT ${value}`;
  await client.query(`ALTER TABLE ${table.sql} ALTER COLUMN ${quoteIdentifier(column)} ${how}`);
}

/** The value before where nobody changed the row since; else the new value as the old type, if that loses nothing. */
async function undoRetype(
  context: UndoContext,
  { column, type, old, copy }: UndoStep & { kind: 'retype_column' },
): Promise<void> {
  const { client, table } = context;
  const name = quoteIdentifier(column.name);
  const cast = await castBetween(client, type, column.type);
  const isSame = copy === null ? 'false' : `record_image_eq(ROW(${name}), ROW(${quoteIdentifier(copy)}))`;
  const changed = cast.isLost(name);
  const { rows } = await client.query<{ lost: string }>(
    `SELECT count(*)::text AS lost FROM ${table.sql} WHERE CASE WHEN ${isSame} THEN false ELSE ${changed} END`,
  );
  if (rows[0]?.lost !== '0') {
    const message = `${rows[0]?.lost ?? ''} rows written since hold values of ${column.name} that ${column.type} does not; change them`;
    throw new EngineError('SchemaConflictError', message);
  }
  const alter = (what: string) => client.query(`ALTER TABLE ${table.sql} ${what}`);
  const hasDefault = column.default !== null && column.identity === '';
  if (hasDefault) await alter(`ALTER COLUMN ${name} DROP DEFAULT`);
  const value = cast.back(name);
  const restored = old === null ? value : `CASE WHEN ${isSame} THEN ${quoteIdentifier(old)} ELSE ${value} END`;
  await alter(`ALTER COLUMN ${name} TYPE ${typeWithCollation(column)} USING ${restored}`);
  for (const hidden of [old, copy]) if (hidden !== null) await alter(`DROP COLUMN ${quoteIdentifier(hidden)}`);
  if (hasDefault) await setDefault(context, column.name, column.default);
  await alter(`ALTER COLUMN ${name} SET STORAGE ${STORAGE[column.storage] ?? 'PLAIN'}`);
  if (column.compression !== null) {
    await alter(`ALTER COLUMN ${name} SET COMPRESSION ${column.compression === 'l' ? 'lz4' : 'pglz'}`);
  }
}

const STORAGE: Readonly<Record<string, string>> = { p: 'PLAIN', e: 'EXTERNAL', m: 'MAIN', x: 'EXTENDED' };
/** PostgreSQL cannot say whether two of these are equal. */
const WITHOUT_EQUALITY = /^(json|xml|point|line|lseg|box|path|polygon|circle)\b/;

/** How values of the new type become ones of the old, and when that loses something. */
async function castBetween(
  client: pg.Client,
  wide: string,
  narrow: string,
): Promise<{ back: (value: string) => string; isLost: (value: string) => string }> {
  const direct = await castExists(client, wide, narrow);
  const through = direct ? '' : '::text';
  const back = (value: string) => `${value}${through}::${narrow}`;
  const compared = WITHOUT_EQUALITY.test(wide) ? '::text' : '';
  return {
    back,
    isLost: (value) => `(${back(value)})${through}::${wide}${compared} IS DISTINCT FROM ${value}${compared}`,
  };
}

async function castExists(client: pg.Client, wide: string, narrow: string): Promise<boolean> {
  await client.query('SAVEPOINT trial');
  try {
    await client.query(`SELECT NULL::${wide}::${narrow}::${wide}`);
    return true;
  } catch {
    return false;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT trial');
  }
}

/**
 * A type's way there and back makes PostgreSQL write some definitions anew, which mean the same and read otherwise: those
 * are made again as they were recorded.
 */
export async function reconcileDefinitions(context: UndoContext, before: TableShape, now: TableShape): Promise<void> {
  const { client, table } = context;
  const alter = (what: string) => client.query(`ALTER TABLE ${table.sql} ${what}`);
  await withFullNames(client, async () => {
    for (const wanted of before.constraints) {
      const there = now.constraints.find(({ name }) => name === wanted.name);
      if (there === undefined || there.definition === wanted.definition) continue;
      await alter(`DROP CONSTRAINT ${quoteIdentifier(wanted.name)}`);
      await createConstraint(context, wanted);
    }
    for (const wanted of before.indexes) {
      const there = now.indexes.find(({ name }) => name === wanted.name);
      if (there === undefined || there.definition === wanted.definition || wanted.constraint !== null) continue;
      await client.query(`DROP INDEX ${quoteIdentifier(table.schema)}.${quoteIdentifier(wanted.name)}`);
      await createIndex(context, wanted);
    }
  });
}
