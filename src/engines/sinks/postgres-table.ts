import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { parseTableName } from '../postgres/table-name.ts';
import { fits, postgresType, textSql, type TargetType } from './postgres-types.ts';

/** A column of the rows that are loaded. */
export interface InputColumn {
  name: string;
  /** As DuckDB names it. */
  type: string;
}

/** Where the rows go. */
export interface TargetTable {
  schema: string;
  name: string;
  /** Schema and name, quoted. */
  sql: string;
}

/** A column that is written, quoted, and the DuckDB SQL of its values' text. */
export interface WrittenColumn {
  sql: string;
  name: string;
  text: string;
}

interface TargetColumn {
  name: string;
  type: TargetType;
  /** Neither nullable nor filled by the table itself. */
  needed: boolean;
}

/** The table's schema, as the search path finds it; of a table that does not exist yet, where it would be made. */
export async function locateTable(client: pg.Client, written: string): Promise<TargetTable> {
  const { schema, name, sql } = parseTableName(written);
  const result = await client.query<{ schema: string | null }>(
    `SELECT coalesce($2::text, (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)), current_schema()) AS schema`,
    [sql, schema ?? null],
  );
  const found = result.rows[0]?.schema;
  if (found === undefined || found === null) {
    throw new EngineError('ValidationError', `table: ${written} names no schema, and the user has none by default`);
  }
  return { schema: found, name, sql: `${quoteIdentifier(found)}.${quoteIdentifier(name)}` };
}

/**
 * Makes the table when it is missing, in the load's own transaction, and says how the rows go into it.
 *
 * @throws EngineError `SchemaConflictError` when the rows do not fit the table that there is
 */
export async function prepareTable(
  client: pg.Client,
  table: TargetTable,
  input: readonly InputColumn[],
): Promise<WrittenColumn[]> {
  let columns = await columnsOf(client, table);
  if (columns === undefined) {
    // Two loads that both found it missing: one makes it, the other then finds it.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`pipeline-service ${table.sql}`]);
    columns = await columnsOf(client, table);
  }
  if (columns === undefined) {
    const definitions = input.map(({ name, type }) => `${quoteIdentifier(name)} ${postgresType(type)}`);
    await client.query(`CREATE TABLE ${table.sql} (${definitions.join(', ')})`);
    columns = (await columnsOf(client, table)) ?? [];
  }
  refuseConflicts(table, columns, input);
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  return input.map(({ name, type }) => {
    const target = types.get(name) ?? { shown: '', name: '', category: '' };
    return { name, sql: quoteIdentifier(name), text: textSql(quoteIdentifier(name), type, target) };
  });
}

/** Undefined when there is no such table. */
async function columnsOf(client: pg.Client, table: TargetTable): Promise<TargetColumn[] | undefined> {
  const found = await client.query<{ oid: string; kind: string }>(
    'SELECT oid::text AS oid, relkind AS kind FROM pg_class WHERE oid = to_regclass($1)',
    [table.sql],
  );
  const [relation] = found.rows;
  if (relation === undefined) return undefined;
  if (relation.kind !== 'r' && relation.kind !== 'p') {
    throw new EngineError('UnsupportedError', `table: ${table.schema}.${table.name} is no plain or partitioned table`);
  }
  const { rows } = await client.query<CatalogRow>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS shown, b.typname AS type, b.typcategory AS category,
       e.typname AS element, e.typcategory AS element_category,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AS needed
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
       JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
       LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [relation.oid],
  );
  return rows.map(targetColumn);
}

interface CatalogRow {
  name: string;
  shown: string;
  type: string;
  category: string;
  element: string | null;
  element_category: string | null;
  needed: boolean;
}

function targetColumn({ name, shown, type, category, element, element_category, needed }: CatalogRow): TargetColumn {
  const elementType =
    element === null ? undefined : { shown: element, name: element, category: element_category ?? '' };
  return { name, needed, type: { shown, name: type, category, ...(elementType && { element: elementType }) } };
}

function refuseConflicts(table: TargetTable, columns: readonly TargetColumn[], input: readonly InputColumn[]): void {
  const targets = new Map(columns.map((column) => [column.name, column]));
  const written = new Set(input.map(({ name }) => name));
  const conflicts = [
    ...input.flatMap(({ name, type }) => {
      const target = targets.get(name);
      if (target === undefined) return [`the table has no column ${name}`];
      return fits(type, target.type) ? [] : [`${name} is ${target.type.shown} there and ${type} here`];
    }),
    ...columns.flatMap(({ name, needed }) => (needed && !written.has(name) ? [`${name} needs a value`] : [])),
  ];
  if (conflicts.length > 0) {
    throw new EngineError(
      'SchemaConflictError',
      `the rows do not fit ${table.schema}.${table.name}: ${conflicts.slice(0, 20).join('; ')}`,
    );
  }
}
