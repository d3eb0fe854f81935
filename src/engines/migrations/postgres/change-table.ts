/** One change of a migration on a PostgreSQL table, and what undoes it. Within a transaction that holds the table's lock. */
import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import type { PostgresChange } from '../../../schemas/migration.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { changeConflict } from './change-conflict.ts';
import { dropColumn } from './drop-column.ts';
import { withFullNames } from './full-names.ts';
import type { HiddenName } from './hidden-name.ts';
import type { MigratedTable } from './migrated-table.ts';
import { runUserSql, single } from './one-statement.ts';
import { retypeColumn } from './retype-column.ts';
import { differingParts, refuseMarked, shapeOf, type ShapeColumn, type TableShape } from './table-shape.ts';
import { checkTypeName } from './type-name.ts';
import type { UndoOf, UndoStep } from './undo-step.ts';

/** PostgreSQL's NAMEDATALEN, less one. */
const MAX_NAME_BYTES = 63;

export interface ChangeContext {
  client: pg.Client;
  table: MigratedTable;
  hidden: HiddenName;
}

/** @throws EngineError `SchemaConflictError` that names the change; whatever the server throws that may pass */
export async function changeTable(context: ChangeContext, change: PostgresChange, at: number): Promise<UndoStep[]> {
  try {
    const shape = await shapeOf(context.client, context.table);
    const undo = await changed(context, change, at, shape);
    return undo.map((step) => ({ ...step, at, op: change.op }));
  } catch (error) {
    if (error instanceof EngineError && error.type === 'SchemaConflictError') throw named(at, change, error);
    throw changeConflict(changeName(at, change), error);
  }
}

export function changeName(at: number, { op }: { op: string }): string {
  return `changes.${at} (${op})`;
}

function named(at: number, change: PostgresChange, error: EngineError): EngineError {
  return new EngineError('SchemaConflictError', `${changeName(at, change)}: ${error.message}`, { cause: error });
}

/** What the change calls something that is there from then on. */
function newName(change: PostgresChange): string {
  if (change.op === 'rename_column') return change.to;
  if (change.op === 'add_column') return change.column;
  return change.op === 'add_index' || change.op === 'add_constraint' ? change.name : '';
}

/** PostgreSQL cuts what is longer, and nobody would find it by the name that was given. */
function refuseLongName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES) throw conflict(`${name} has ${bytes} bytes, and names have ${MAX_NAME_BYTES} at most`);
}

async function changed(
  context: ChangeContext,
  change: PostgresChange,
  at: number,
  shape: TableShape,
): Promise<UndoOf[]> {
  const { client, table, hidden } = context;
  refuseLongName(newName(change));
  const alter = (what: string) => client.query(`ALTER TABLE ${table.sql} ${what}`);
  switch (change.op) {
    case 'add_column': {
      await checkTypeName(client, change.type);
      const value = change.default === undefined ? '' : ` DEFAULT ${literal(client, change.default)}`;
      await single(
        client,
        `ALTER TABLE ${table.sql} ADD COLUMN ${quoteIdentifier(change.column)} ${change.type}${value}`,
      );
      if (change.comment !== undefined) await comment(context, change.column, change.comment);
      return [{ kind: 'drop_column', column: change.column }];
    }
    case 'drop_column':
      return dropColumn(context, columnOf(shape, change.column), shape, hidden(at, 'dropped'));
    case 'rename_column':
      columnOf(shape, change.column);
      await alter(`RENAME COLUMN ${quoteIdentifier(change.column)} TO ${quoteIdentifier(change.to)}`);
      return [{ kind: 'rename_column', from: change.to, to: change.column }];
    case 'retype_column':
      return retypeColumn(context, columnOf(shape, change.column), change, at);
    case 'set_nullable': {
      const column = columnOf(shape, change.column);
      await alter(`ALTER COLUMN ${quoteIdentifier(change.column)} DROP NOT NULL`);
      return column.required ? [{ kind: 'set_required', column: column.name, requiredBy: column.requiredBy }] : [];
    }
    case 'set_required': {
      const column = columnOf(shape, change.column);
      await alter(`ALTER COLUMN ${quoteIdentifier(change.column)} SET NOT NULL`);
      return column.required ? [] : [{ kind: 'set_nullable', column: column.name }];
    }
    case 'set_default': {
      const column = columnOf(shape, change.column);
      if (column.generated !== '') throw conflict(`${column.name} is a generated column`);
      const what = change.default === null ? 'DROP DEFAULT' : `SET DEFAULT ${literal(client, change.default)}`;
      await alter(`ALTER COLUMN ${quoteIdentifier(change.column)} ${what}`);
      return [{ kind: 'set_default', column: column.name, default: column.default }];
    }
    case 'set_comment': {
      const before = change.column === undefined ? shape.comment : columnOf(shape, change.column).comment;
      await comment(context, change.column ?? null, change.comment);
      return [{ kind: 'set_comment', column: change.column ?? null, comment: before }];
    }
    case 'add_index': {
      for (const column of change.columns) columnOf(shape, column);
      const columns = change.columns.map(quoteIdentifier).join(', ');
      const unique = change.unique ? 'UNIQUE ' : '';
      await client.query(`CREATE ${unique}INDEX ${quoteIdentifier(change.name)} ON ${table.sql} (${columns})`);
      return [{ kind: 'drop_index', name: change.name }];
    }
    case 'drop_index':
      return dropIndex(context, change.name, shape, hidden(at, 'dropped'));
    case 'add_constraint':
      await single(
        client,
        `ALTER TABLE ${table.sql} ADD CONSTRAINT ${quoteIdentifier(change.name)} ${change.definition}`,
      );
      return undoOfConstraint(change, shape, await shapeOf(client, table));
    case 'drop_constraint': {
      const found = shape.constraints.find(({ name }) => name === change.name);
      if (found === undefined) throw conflict(`the table has no constraint ${change.name}`);
      refuseMarked(shape.indexes.filter(({ constraint }) => constraint === change.name));
      await alter(`DROP CONSTRAINT ${quoteIdentifier(change.name)}`);
      return [{ kind: 'create_constraint', name: found.name, definition: found.definition, comment: found.comment }];
    }
    case 'sql':
      await runUserSql(client, change.sql);
      return [{ kind: 'sql', sql: change.undo }];
  }
}

/** A definition could go on, after a comma, with something else. */
export function isOneConstraint(
  { name, definition }: Extract<PostgresChange, { op: 'add_constraint' }>,
  before: TableShape,
  after: TableShape,
): boolean {
  const expected = [`constraint ${name}`, `index ${name}`];
  // A primary key also makes its columns required.
  const isKey = /^\s*primary\s+key\b/i.test(definition);
  return differingParts(before, after).every(
    (part) => expected.includes(part) || (isKey && part.startsWith('column ')),
  );
}

function undoOfConstraint(
  change: Extract<PostgresChange, { op: 'add_constraint' }>,
  before: TableShape,
  after: TableShape,
): UndoOf[] {
  if (!isOneConstraint(change, before, after)) {
    throw conflict('expected the definition of one constraint, and nothing after it');
  }
  const required = new Set(before.columns.flatMap((column) => (column.required ? [column.number] : [])));
  const becameRequired = after.columns.filter((column) => column.required && !required.has(column.number));
  return [
    ...becameRequired.map(({ name }): UndoOf => ({ kind: 'set_nullable', column: name })),
    { kind: 'drop_constraint', name: change.name },
  ];
}

async function dropIndex(
  { client, table }: ChangeContext,
  name: string,
  shape: TableShape,
  hidden: string,
): Promise<UndoOf[]> {
  const found = shape.indexes.find((index) => index.name === name);
  if (found === undefined) throw conflict(`the table has no index ${name}`);
  if (found.constraint !== null) throw conflict(`${name} belongs to the constraint ${found.constraint}; drop that`);
  refuseMarked([found]);
  const index = `${quoteIdentifier(table.schema)}.${quoteIdentifier(name)}`;
  if (found.unique || !found.plain) {
    // Kept under another name it would still refuse rows, or changes of what its expressions name.
    await client.query(`DROP INDEX ${index}`);
    return [{ kind: 'create_index', name, definition: found.definition, comment: found.comment }];
  }
  await client.query(`ALTER INDEX ${index} RENAME TO ${quoteIdentifier(hidden)}`);
  return [{ kind: 'unhide_index', hidden, name }];
}

function columnOf(shape: TableShape, name: string): ShapeColumn {
  const found = shape.columns.find((column) => column.name === name);
  if (found === undefined) throw conflict(`the table has no column ${name}`);
  return found;
}

/** @param column null: of the table */
export async function comment(
  { client, table }: Pick<ChangeContext, 'client' | 'table'>,
  column: string | null,
  text: string | null,
): Promise<void> {
  const what = column === null ? `TABLE ${table.sql}` : `COLUMN ${table.sql}.${quoteIdentifier(column)}`;
  await withFullNames(client, () =>
    client.query(`COMMENT ON ${what} IS ${text === null ? 'NULL' : client.escapeLiteral(text)}`),
  );
}

/** Of no type yet: the server reads it as one of the column's. */
function literal(client: pg.Client, value: string | number | boolean | null): string {
  return value === null ? 'NULL' : client.escapeLiteral(String(value));
}

function conflict(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
