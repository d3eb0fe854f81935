/** Tries changes on an empty copy of the table, in a transaction that is rolled back: nobody waits for it, nothing stays. */
import type pg from 'pg';
import { EngineError, messageOf } from '../../../errors.ts';
import type { PostgresChange } from '../../../schemas/migration.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { changeConflict } from './change-conflict.ts';
import { changeName, changeTable, type ChangeContext, isOneConstraint } from './change-table.ts';
import type { HiddenName } from './hidden-name.ts';
import { findTemporaryTable, type MigratedTable } from './migrated-table.ts';
import { single } from './one-statement.ts';
import { describePart, differingParts, shapeOf, type TableShape } from './table-shape.ts';
import { reconcileDefinitions, undoChange } from './undo-changes.ts';
import type { UndoStep } from './undo-step.ts';

type AddConstraint = Extract<PostgresChange, { op: 'add_constraint' }>;

export interface Trial {
  after: TableShape;
  warnings: string[];
}

/** @throws EngineError `SchemaConflictError` that names the first change that does not work */
export async function tryChanges(
  client: pg.Client,
  table: MigratedTable,
  changes: readonly PostgresChange[],
  hidden: HiddenName,
): Promise<Trial> {
  const real = await shapeOf(client, table);
  const copy = await emptyCopy(client, table, real);
  const context: ChangeContext = { client, table: copy, hidden };
  const before = await shapeOf(client, copy);
  const undo: UndoStep[] = [];
  const warnings: string[] = [];
  for (const [at, change] of changes.entries()) {
    if (change.op === 'sql') {
      warnings.push(`${changeName(at, change)} is not tried before it is applied`);
      continue;
    }
    if (change.op === 'drop_constraint' && isForeignKey(real, change.name)) continue;
    const own = changes.slice(0, at).some(({ op }) => op === 'sql');
    await client.query('SAVEPOINT change');
    try {
      if (change.op === 'add_index') await refuseTakenName(client, table, change, at);
      undo.push(...(await tryChange(context, table, change, at)));
    } catch (error) {
      // The statements before it may have made what it needs.
      if (!own || !(error instanceof EngineError && error.type === 'SchemaConflictError')) throw error;
      await client.query('ROLLBACK TO SAVEPOINT change');
      warnings.push(`after the sql before it, nobody can say whether this works: ${error.message}`);
    }
  }
  const after = await shapeOf(client, copy);
  if (!changes.some(({ op }) => op === 'sql')) await expectUndone(context, undo, before, after);
  return { after, warnings };
}

/** What cannot be put back exactly is not begun: some of what a table has, no definition tells. */
async function expectUndone(
  { client, table }: ChangeContext,
  undo: readonly UndoStep[],
  before: TableShape,
  after: TableShape,
): Promise<void> {
  for (const step of undo.toReversed()) await undoChange({ client, table }, step);
  await reconcileDefinitions({ client, table }, before, await shapeOf(client, table));
  const left = differingParts(before, await shapeOf(client, table));
  if (left.length === 0) return;
  const parts = left.map((part) => describePart(part, before, after)).join(', ');
  throw new EngineError(
    'SchemaConflictError',
    `the changes cannot be tried, since ${parts} could not be put back exactly (its options or its comment would be lost)`,
  );
}

/** Foreign keys are not copied. */
function isForeignKey({ constraints }: TableShape, name: string): boolean {
  return constraints.some((constraint) => constraint.kind === 'f' && constraint.name === name);
}

/** Named like the table, so that expressions may name it, with indexes and keys named like the table's. */
async function emptyCopy(client: pg.Client, table: MigratedTable, real: TableShape): Promise<MigratedTable> {
  const name = quoteIdentifier(table.name);
  await client.query(`CREATE TEMPORARY TABLE ${name} (LIKE ${table.sql} INCLUDING ALL) ON COMMIT DROP`);
  const copy = await findTemporaryTable(client, table.name);
  const { indexes } = await shapeOf(client, copy);
  const placeholder = (at: number) => quoteIdentifier(`_pipeline_trial_${at}`);
  // In the order in which they were made, by way of names that nobody has.
  for (const [at, index] of indexes.entries()) {
    await client.query(`ALTER INDEX pg_temp.${quoteIdentifier(index.name)} RENAME TO ${placeholder(at)}`);
  }
  for (const [at, index] of real.indexes.slice(0, indexes.length).entries()) {
    await client.query(`ALTER INDEX pg_temp.${placeholder(at)} RENAME TO ${quoteIdentifier(index.name)}`);
  }
  // Which is not copied: that something goes by an index.
  for (const { name: index } of real.indexes.filter(({ marked }) => marked)) {
    await client.query(`ALTER TABLE ${copy.sql} CLUSTER ON ${quoteIdentifier(index)}`);
  }
  return copy;
}

/** Other relations of the schema have names too. */
async function refuseTakenName(
  client: pg.Client,
  table: MigratedTable,
  change: Extract<PostgresChange, { op: 'add_index' }>,
  at: number,
): Promise<void> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
       AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = c.oid AND x.indrelid = $3::oid)`,
    [table.schema, change.name, table.oid],
  );
  if (rowCount !== 0) {
    throw new EngineError('SchemaConflictError', `${changeName(at, change)}: there is a ${change.name} in the schema`);
  }
}

async function tryChange(
  context: ChangeContext,
  table: MigratedTable,
  change: Exclude<PostgresChange, { op: 'sql' }>,
  at: number,
): Promise<UndoStep[]> {
  const { client } = context;
  if (change.op !== 'add_constraint') return changeTable(context, change, at);
  await client.query('SAVEPOINT trial');
  try {
    return await changeTable(context, change, at);
  } catch (error) {
    // A temporary table cannot refer to others.
    if (!/temporary tables/.test(messageOf(error))) throw error;
    await client.query('ROLLBACK TO SAVEPOINT trial');
    await tryForeignKey(client, context.table, table, change, at);
    return [];
  }
}

async function tryForeignKey(
  client: pg.Client,
  copy: MigratedTable,
  table: MigratedTable,
  change: AddConstraint,
  at: number,
): Promise<void> {
  const trial = `${quoteIdentifier(table.schema)}.${quoteIdentifier('_pipeline_trial')}`;
  try {
    await client.query(`CREATE TABLE ${trial} (LIKE ${copy.sql})`);
    const { rows } = await client.query<{ oid: string }>('SELECT to_regclass($1)::oid::text AS oid', [trial]);
    const made = { ...table, oid: rows[0]?.oid ?? '' };
    const before = await shapeOf(client, made);
    await single(client, `ALTER TABLE ${trial} ADD CONSTRAINT ${quoteIdentifier(change.name)} ${change.definition}`);
    if (!isOneConstraint(change, before, await shapeOf(client, made))) {
      const message = `${changeName(at, change)}: expected the definition of one constraint, and nothing after it`;
      throw new EngineError('SchemaConflictError', message);
    }
    await client.query(`DROP TABLE ${trial}`);
  } catch (error) {
    throw changeConflict(changeName(at, change), error);
  }
}
