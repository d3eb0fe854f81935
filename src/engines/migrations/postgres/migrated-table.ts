import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import { quoteIdentifier } from '../../duckdb/quote.ts';
import { parseTableName } from '../../postgres/table-name.ts';

/** The PostgreSQL table of a migration, or the empty copy of it on which the changes are tried. */
export interface MigratedTable {
  oid: string;
  schema: string;
  name: string;
  /** Schema and name, quoted. */
  sql: string;
  /** As the server estimates it; -1 when it never looked. */
  estimatedRows: number;
  bytes: number;
}

interface CatalogRow {
  oid: string;
  schema: string;
  name: string;
  kind: string;
  inherits: boolean;
  typed: boolean;
  owned: boolean;
  temporary: boolean;
  estimated_rows: string;
  bytes: string;
}

const KINDS: Readonly<Record<string, string>> = {
  p: 'a partitioned table',
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  c: 'a type',
};

/**
 * @param written `table` or `schema.table`, as the search path finds it
 * @throws EngineError `ValidationError` when there is none; `UnsupportedError` when it is no plain table;
 *   `PermissionDeniedError` when the user does not own it, without which nobody may alter it
 */
export async function findTable(client: pg.Client, written: string): Promise<MigratedTable> {
  const [row] = await find(client, 'to_regclass($1)', parseTableName(written).sql);
  if (row === undefined) throw new EngineError('ValidationError', `table: there is no table ${written}`);
  return plainTable(row);
}

/** The same table later, whatever it is called by then; undefined when it was dropped. */
export async function findTableByOid(client: pg.Client, oid: string): Promise<MigratedTable | undefined> {
  const [row] = await find(client, '$1::oid', oid);
  return row === undefined ? undefined : plainTable(row);
}

/** A table of this session's own. */
export async function findTemporaryTable(client: pg.Client, name: string): Promise<MigratedTable> {
  const [row] = await find(client, 'to_regclass($1)', `pg_temp.${quoteIdentifier(name)}`);
  if (row === undefined) throw new TypeError(`no temporary table ${name}`);
  return tableOf(row);
}

async function find(client: pg.Client, where: string, parameter: string): Promise<CatalogRow[]> {
  const { rows } = await client.query<CatalogRow>(
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits, c.reloftype <> 0 AS typed,
       pg_has_role(c.relowner, 'USAGE') AS owned, c.relpersistence = 't' AS temporary,
       c.reltuples::bigint::text AS estimated_rows, pg_table_size(c.oid)::text AS bytes
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${where}`,
    [parameter],
  );
  return rows;
}

function plainTable(row: CatalogRow): MigratedTable {
  const refuse = (what: string): never => {
    const message = `table: ${row.schema}.${row.name} is ${what}; only plain tables are migrated`;
    throw new EngineError('UnsupportedError', message);
  };
  if (row.schema === 'information_schema' || row.schema.startsWith('pg_')) refuse("PostgreSQL's own");
  if (row.name === 'pipeline_migrations') refuse('where it is kept how migrations are undone');
  if (row.kind !== 'r') refuse(KINDS[row.kind] ?? 'no table');
  if (row.inherits) refuse('a partition, or part of an inheritance tree');
  if (row.typed) refuse('a table of a composite type');
  if (row.temporary) refuse('a temporary table');
  if (!row.owned) {
    const message = `table: the user of this connection does not own ${row.schema}.${row.name}, and only owners may alter a table`;
    throw new EngineError('PermissionDeniedError', message);
  }
  return tableOf(row);
}

function tableOf({ oid, schema, name, estimated_rows, bytes }: CatalogRow): MigratedTable {
  const sql = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  return { oid, schema, name, sql, estimatedRows: Number(estimated_rows), bytes: Number(bytes) };
}
