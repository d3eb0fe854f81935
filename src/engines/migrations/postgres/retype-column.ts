import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import type { PostgresChange } from '../../../schemas/migration.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import type { ChangeContext } from './change-table.ts';
import { withFullNames } from './full-names.ts';
import { single } from './one-statement.ts';
import type { ShapeColumn } from './table-shape.ts';
import { checkTypeName } from './type-name.ts';
import type { UndoOf } from './undo-step.ts';

type Retype = Extract<PostgresChange, { op: 'retype_column' }>;

/**
 * Changes the type. Where the new value does not tell the old one, both are kept in hidden columns: the old one to put
 * back, the new one to see whether somebody changed the row since. They are filled by the rewrite that changes the type,
 * so that no trigger fires.
 */
export async function retypeColumn(
  { client, table, hidden }: ChangeContext,
  column: ShapeColumn,
  { type, using }: Retype,
  at: number,
): Promise<UndoOf[]> {
  await checkTypeName(client, type);
  if (column.generated !== '') {
    throw new EngineError('SchemaConflictError', `${column.name} is a generated column; its type follows from others`);
  }
  const name = quoteIdentifier(column.name);
  const alter = `ALTER TABLE ${table.sql}`;
  if (using !== undefined) await checkExpression(client, table.sql, using);
  const undo = { kind: 'retype_column', column, type: await canonicalType(client, type) } as const;
  if (using === undefined && isLossless(column.type, undo.type)) {
    await single(client, `${alter} ALTER COLUMN ${name} TYPE ${type}`);
    return [{ ...undo, old: null, copy: null }];
  }
  const [old, copy] = [hidden(at, 'old'), hidden(at, 'new')];
  const [oldSql, copySql] = [quoteIdentifier(old), quoteIdentifier(copy)];
  const oldType = typeWithCollation(column);
  await single(client, `${alter} ADD COLUMN ${oldSql} ${oldType}, ADD COLUMN ${copySql} ${type}`);
  const keep = `ALTER COLUMN ${oldSql} TYPE ${oldType} USING ${name}`;
  const fill = `ALTER COLUMN ${copySql} TYPE ${type} USING ${name}`;
  if (using === undefined) {
    await single(client, `${alter} ${keep}, ${fill}, ALTER COLUMN ${name} TYPE ${type}`);
  } else {
    // Twice, since an expression may say something else each time it is asked.
    await single(client, `${alter} ${keep}, ALTER COLUMN ${name} TYPE ${type} USING (${using}\n)`);
    await single(client, `${alter} ${fill}`);
  }
  return [{ ...undo, old, copy }];
}

export function typeWithCollation({ type, collation }: Pick<ShapeColumn, 'type' | 'collation'>): string {
  return collation === null ? type : `${type} COLLATE ${collation}`;
}

/** One expression over the table's columns, and nothing that ends it and goes on with something else. */
async function checkExpression(client: pg.Client, table: string, using: string): Promise<void> {
  const { fields } = await single(client, `SELECT (${using}\n) FROM ${table} LIMIT 0`);
  if (fields.length !== 1) {
    throw new EngineError('SchemaConflictError', 'using: expected one expression over the columns of the table');
  }
}

/** From each of these to a later one in its row every value goes and comes back the same. */
const WIDER = [
  ['smallint', 'integer', 'bigint'],
  ['real', 'double precision'],
];

/** Whether every value of the one type comes back from the other as it was. */
export function isLossless(from: string, wide: string): boolean {
  const row = WIDER.find((types) => types.includes(from));
  if (row?.includes(wide) === true) return row.indexOf(wide) >= row.indexOf(from);
  const varying = /^character varying(?:\((\d+)\))?$/;
  const [narrow, wider] = [varying.exec(from), varying.exec(wide)];
  if (narrow !== null && wide === 'text') return true;
  if (narrow !== null && wider !== null) return Number(wider[1] ?? Infinity) >= Number(narrow[1] ?? Infinity);
  const numeric = /^numeric\((\d+),(\d+)\)$/;
  const [few, many] = [numeric.exec(from), numeric.exec(wide)];
  return few !== null && many !== null && few[2] === many[2] && Number(many[1]) >= Number(few[1]);
}

/** As the catalogs write it, schema and modifiers included. */
export async function canonicalType(client: pg.Client, type: string): Promise<string> {
  const { fields } = await single(client, `SELECT NULL::${type} AS value`);
  const parameters = [fields[0]?.dataTypeID, fields[0]?.dataTypeModifier];
  return withFullNames(client, async () => {
    const { rows } = await client.query<{ type: string }>('SELECT format_type($1::oid, $2::int) AS type', parameters);
    return rows[0]?.type ?? type;
  });
}
