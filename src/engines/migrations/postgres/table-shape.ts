/** All that DDL can change of a table, as PostgreSQL's catalogs tell it: what a migration must put back exactly. */
import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import type { TableColumn } from '../table-migrator.ts';
import { withFullNames } from './full-names.ts';
import { isHidden } from './hidden-name.ts';
import type { MigratedTable } from './migrated-table.ts';

export interface ShapeColumn {
  /** Its number, which it keeps whatever it is called. */
  number: number;
  name: string;
  type: string;
  required: boolean;
  /** Of the NOT NULL constraint, where the server names those (version 18). */
  requiredBy: string | null;
  default: string | null;
  /** `a` always, `d` by default. */
  identity: string;
  generated: string;
  comment: string | null;
  collation: string | null;
  storage: string;
  compression: string | null;
}

interface ShapeConstraint {
  name: string;
  /** As `pg_constraint.contype`. */
  kind: string;
  definition: string;
  comment: string | null;
  /** Numbers of the columns that it depends on. */
  columns: number[];
}

interface ShapeIndex {
  name: string;
  definition: string;
  comment: string | null;
  unique: boolean;
  /** Neither expressions nor a condition: nulls are all it can see of a row without values. */
  plain: boolean;
  /** Of the constraint that made it. */
  constraint: string | null;
  /** Something else goes by it: CLUSTER, or replication. */
  marked: boolean;
  columns: number[];
}

export interface TableShape {
  comment: string | null;
  columns: ShapeColumn[];
  constraints: ShapeConstraint[];
  indexes: ShapeIndex[];
}

// By way of JSON where older servers have no such column.
const COLUMNS = `
  SELECT a.attnum::int AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
    (SELECT conname FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum])
      AS "requiredBy",
    pg_get_expr(d.adbin, d.adrelid) AS default, a.attidentity AS identity, a.attgenerated AS generated,
    col_description(a.attrelid, a.attnum) AS comment,
    CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN a.attcollation::regcollation::text END AS collation,
    a.attstorage AS storage, nullif(to_jsonb(a) ->> 'attcompression', '') AS compression
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;
const CONSTRAINTS = `
  SELECT c.conname AS name, c.contype AS kind, pg_get_constraintdef(c.oid) AS definition,
    obj_description(c.oid, 'pg_constraint') AS comment,
    ARRAY(SELECT DISTINCT refobjsubid FROM pg_depend WHERE classid = 'pg_constraint'::regclass AND objid = c.oid
      AND refclassid = 'pg_class'::regclass AND refobjid = c.conrelid AND refobjsubid > 0
      UNION SELECT unnest(c.conkey)::int) AS columns
  FROM pg_constraint c WHERE c.conrelid = $1::oid AND c.contype IN ('c', 'f', 'p', 'u', 'x') ORDER BY c.conname`;
const INDEXES = `
  SELECT i.relname AS name, pg_get_indexdef(i.oid) AS definition, obj_description(i.oid, 'pg_class') AS comment,
    x.indisunique AS unique, x.indexprs IS NULL AND x.indpred IS NULL AS plain,
    (SELECT conname FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x')) AS constraint,
    x.indisclustered OR x.indisreplident AS marked,
    ARRAY(SELECT DISTINCT refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = i.oid
      AND refclassid = 'pg_class'::regclass AND refobjid = x.indrelid AND refobjsubid > 0
      UNION SELECT unnest(x.indkey::int[]) EXCEPT SELECT 0) AS columns
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = $1::oid ORDER BY i.oid`;

/** Within a transaction. */
export async function shapeOf(client: pg.Client, { oid }: Pick<MigratedTable, 'oid'>): Promise<TableShape> {
  return withFullNames(client, async () => {
    const columns = await client.query<ShapeColumn>(COLUMNS, [oid]);
    const constraints = await client.query<ShapeConstraint>(CONSTRAINTS, [oid]);
    const indexes = await client.query<ShapeIndex>(INDEXES, [oid]);
    const table = await client.query<{ comment: string | null }>(
      `SELECT obj_description($1::oid, 'pg_class') AS comment`,
      [oid],
    );
    return {
      comment: table.rows[0]?.comment ?? null,
      columns: columns.rows,
      constraints: constraints.rows,
      indexes: indexes.rows,
    };
  });
}

/**
 * Of indexes that a change would drop: made again, they would not be what something else goes by.
 *
 * @throws EngineError `SchemaConflictError`
 */
export function refuseMarked(indexes: readonly ShapeIndex[]): void {
  const marked = indexes.find((index) => index.marked);
  if (marked === undefined) return;
  throw new EngineError('SchemaConflictError', `${marked.name} is what CLUSTER or replication goes by`);
}

/** The columns that people know of. */
export function visibleColumns({ columns }: TableShape): TableColumn[] {
  return columns
    .filter(({ name }) => !isHidden(name))
    .map(({ name, type, required, default: value, comment }) => ({
      name,
      type,
      required,
      ...(value !== null && { default: value }),
      ...(comment !== null && { comment }),
    }));
}

/** Each part of a shape under a name that it keeps, in a form that can be compared: `column 3`, `index by_day`. */
export function partsOf(shape: TableShape): Map<string, string> {
  return new Map([
    ['comment', JSON.stringify(shape.comment)],
    ...shape.columns.map((column): [string, string] => [`column ${column.number}`, inOrder(column)]),
    ...shape.constraints.map(({ name, definition, comment }): [string, string] => [
      `constraint ${name}`,
      JSON.stringify([definition, comment]),
    ]),
    ...shape.indexes.map(({ name, definition, comment, marked }): [string, string] => [
      `index ${name}`,
      JSON.stringify([definition, comment, marked]),
    ]),
  ]);
}

/** The database may have put the keys of what it kept in another order. */
function inOrder(column: ShapeColumn): string {
  return JSON.stringify(Object.entries(column).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Names of the parts in which two shapes differ. */
export function differingParts(one: TableShape, other: TableShape): string[] {
  const [left, right] = [partsOf(one), partsOf(other)];
  return [...new Set([...left.keys(), ...right.keys()])].filter((part) => left.get(part) !== right.get(part));
}

/** A part as people know it. */
export function describePart(part: string, ...shapes: TableShape[]): string {
  const number = /^column (\d+)$/.exec(part)?.[1];
  if (number === undefined) return part === 'comment' ? "the table's comment" : part;
  const columns = shapes.flatMap((shape) => shape.columns);
  const known = columns.filter((column) => column.number === Number(number)).map(({ name }) => name);
  return `column ${known.find((name) => !isHidden(name)) ?? number}`;
}
