/** What else in the database hangs on a column or a constraint, so that a change of it is refused before it is tried. */
import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import type { PostgresChange } from '../../../schemas/migration.ts';
import { changeName } from './change-table.ts';
import type { MigratedTable } from './migrated-table.ts';
import type { TableShape } from './table-shape.ts';

const DEPENDENTS = `
  SELECT DISTINCT CASE d.classid::regclass::text
      WHEN 'pg_rewrite' THEN (SELECT 'the view ' || r.ev_class::regclass FROM pg_rewrite r WHERE r.oid = d.objid)
      WHEN 'pg_trigger' THEN (SELECT 'the trigger ' || t.tgname FROM pg_trigger t WHERE t.oid = d.objid AND NOT t.tgisinternal)
      WHEN 'pg_policy' THEN (SELECT 'the policy ' || p.polname FROM pg_policy p WHERE p.oid = d.objid)
      WHEN 'pg_attrdef' THEN (SELECT 'the generated column ' || a.attname FROM pg_attrdef f
        JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        WHERE f.oid = d.objid AND NOT (f.adrelid = d.refobjid AND f.adnum = d.refobjsubid))
      WHEN 'pg_publication_rel' THEN 'a publication'
      WHEN 'pg_proc' THEN 'the function ' || d.objid::regproc
      WHEN 'pg_constraint' THEN (SELECT 'the foreign key ' || c.conname || ' of ' || c.conrelid::regclass
        FROM pg_constraint c WHERE c.oid = d.objid AND c.contype = 'f' AND c.conrelid <> d.refobjid)
    END AS dependent
  FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::oid AND d.refobjsubid = $2`;
const REFERENCES = `
  SELECT 'the foreign key ' || f.conname || ' of ' || f.conrelid::regclass AS dependent
  FROM pg_constraint c JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = c.conrelid AND f.conindid = c.conindid
  WHERE c.conrelid = $1::oid AND c.conname = $2 AND c.contype IN ('p', 'u')`;

/**
 * @param shape of the table before the changes
 * @throws EngineError `SchemaConflictError` that names the change and what depends on it
 */
export async function refuseDependents(
  client: pg.Client,
  table: MigratedTable,
  changes: readonly PostgresChange[],
  shape: TableShape,
): Promise<void> {
  const numbers = new Map(shape.columns.map(({ name, number }) => [name, number]));
  const dropped = new Set<string>();
  for (const [at, change] of changes.entries()) {
    const dependents = await dependentsOf(client, table, change, shape, numbers, dropped);
    if (dependents.length > 0) {
      const message = `${changeName(at, change)}: ${dependents.join(', ')} depends on it; change or drop that first`;
      throw new EngineError('SchemaConflictError', message);
    }
    if (change.op === 'drop_constraint') dropped.add(change.name);
    if (change.op === 'drop_column') dropped.add(`the generated column ${change.column}`);
    rename(numbers, change);
  }
}

async function dependentsOf(
  client: pg.Client,
  { oid }: MigratedTable,
  change: PostgresChange,
  shape: TableShape,
  numbers: ReadonlyMap<string, number>,
  dropped: ReadonlySet<string>,
): Promise<string[]> {
  if (change.op === 'drop_constraint') return ask(client, REFERENCES, [oid, change.name]);
  if (change.op !== 'drop_column' && change.op !== 'retype_column') return [];
  const number = numbers.get(change.column);
  if (number === undefined) return [];
  const found = await ask(client, DEPENDENTS, [oid, number]);
  if (change.op === 'retype_column') return found.filter((dependent) => !dependent.startsWith('the foreign key '));
  const key = shape.constraints.find(({ kind, columns }) => kind === 'p' && columns.includes(number));
  const left = found.filter((dependent) => !dropped.has(dependent));
  return key === undefined || dropped.has(key.name) ? left : [...left, `the primary key ${key.name}`];
}

async function ask(client: pg.Client, sql: string, parameters: unknown[]): Promise<string[]> {
  const { rows } = await client.query<{ dependent: string | null }>(sql, parameters);
  return rows.flatMap(({ dependent }) => (dependent === null ? [] : [dependent]));
}

/** Columns by the names they have after a change; those that a change adds hang on nothing. */
export function rename(numbers: Map<string, number>, change: PostgresChange): void {
  if (change.op === 'drop_column') numbers.delete(change.column);
  if (change.op === 'add_column') numbers.delete(change.column);
  if (change.op !== 'rename_column') return;
  const number = numbers.get(change.column);
  numbers.delete(change.column);
  if (number !== undefined) numbers.set(change.to, number);
}
