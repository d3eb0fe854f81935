import type pg from 'pg';
import Cursor from 'pg-cursor';
import { EngineError } from '../../errors.ts';
import type { ParameterType } from '../../schemas/parameters.ts';
import type { EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { parseTableName } from '../postgres/table-name.ts';
import { ofPostgres, withPostgres } from '../postgres/with-postgres.ts';
import { type Relation, relationOf } from './bound-query.ts';
import type { JdbcExtraction, JdbcResult } from './jdbc-source.ts';
import { postgresColumn, type PostgresColumn } from './postgres-columns.ts';
import { cutIntoParts, type Slice, watermarkSql, withinInterval, withinWatermarks } from './postgres-slices.ts';
import { type TextRow, TextRows } from './text-rows.ts';

const DEFAULT_FETCH_ROWS = 10_000;
/** Rows of unknown width: after the first batch, as many are asked for as make about this much. */
const FETCH_CHARACTERS = 8 * 1024 * 1024;
const FIRST_FETCH_ROWS = 1_000;
/** Connections of one extraction, however many parts there are. */
const MAX_READERS = 8;

const SQL_TYPE: Readonly<Record<ParameterType, string>> = {
  string: 'text',
  int: 'bigint',
  float: 'double precision',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamptz',
};

/** Whatever the user's rights, an extraction changes nothing. */
const READ_ONLY = { default_transaction_read_only: 'on' };
/** Values stay as PostgreSQL writes them. */
const AS_TEXT = { getTypeParser: () => (value: string) => value };
const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/**
 * Streams a table or query of PostgreSQL into Parquet: cursors over one snapshot that all readers share, values as text
 * (no JavaScript date or number touches them), cast by DuckDB.
 */
export async function extractPostgres(
  engine: DuckDbEngine,
  request: JdbcExtraction,
  context: EngineContext,
): Promise<JdbcResult> {
  const { source, outputFolder: folder } = request;
  const relation = relationOf(
    source,
    request.parameters,
    (table) => parseTableName(table).sql,
    (_, type, at) => `CAST($${at + 1} AS ${SQL_TYPE[type]})`,
  );
  // The first reader that fails ends the others.
  const failure = new AbortController();
  const signal = AbortSignal.any([context.signal, failure.signal]);
  const connection = { url: request.connectionUrl, signal, settings: READ_ONLY };

  return engine.withSession({ signal, readable: [folder], writable: [folder] }, (session) =>
    withPostgres(connection, async (client) => {
      await client.query(BEGIN);
      const columns = await describe(client, relation);
      const watermarkColumn = columnNamed(columns, source.watermark_column, 'watermark_column');
      const slice = sliceOf(request, relation, columns, watermarkColumn);
      const parts = await partsOf(client, relation, slice, request, columns);
      const landing = await TextRows.create(session, columns, folder);
      const fetchRows = source.fetch_size ?? DEFAULT_FETCH_ROWS;
      const reading = { relation, columns, queue: parts.values(), landing, fetchRows };

      const others = await joinSnapshot(client, Math.min(parts.length, MAX_READERS) - 1);
      const readers = [
        readParts(client, reading),
        ...others.map((join) => withPostgres(connection, (other) => join(other).then(() => readParts(other, reading)))),
      ];
      await Promise.all(
        readers.map((reader) =>
          reader.catch((error: unknown) => {
            failure.abort(ofPostgres(error));
          }),
        ),
      );
      signal.throwIfAborted();
      const watermark = await newWatermark(client, relation, slice, watermarkColumn);
      const dataset = await landing.finish();
      context.log('info', `read ${dataset.rows} rows of PostgreSQL with ${readers.length} reader(s)`);
      return { dataset, ...(watermark !== undefined && { watermark }) };
    }),
  );
}

async function describe(client: pg.Client, relation: Relation): Promise<PostgresColumn[]> {
  const { fields } = await client.query({
    text: `SELECT * FROM ${relation.sql} AS q LIMIT 0`,
    values: relation.parameters.map(({ value }) => value),
    rowMode: 'array',
  });
  return fields.map(postgresColumn);
}

function columnNamed(
  columns: readonly PostgresColumn[],
  name: string | undefined,
  field: string,
): PostgresColumn | undefined {
  const column = columns.find((each) => each.name === name);
  if (name !== undefined && column === undefined) {
    const known = columns.slice(0, 30).map((each) => each.name);
    throw new EngineError('ValidationError', `${field}: the source has no column ${name}; it has ${known.join(', ')}`);
  }
  return column;
}

function sliceOf(
  request: JdbcExtraction,
  relation: Relation,
  columns: readonly PostgresColumn[],
  watermarkColumn: PostgresColumn | undefined,
): Slice {
  const all: Slice = { where: 'true', values: relation.parameters.map(({ value }) => value) };
  const slice = withinInterval(all, columns, request.interval);
  return watermarkColumn === undefined ? slice : withinWatermarks(slice, watermarkColumn, request);
}

async function partsOf(
  client: pg.Client,
  relation: Relation,
  slice: Slice,
  { source }: JdbcExtraction,
  columns: readonly PostgresColumn[],
): Promise<Slice[]> {
  const column = columnNamed(columns, source.partition_column, 'partition_column');
  const count = source.num_partitions ?? 1;
  return column === undefined || count === 1 ? [slice] : cutIntoParts(client, relation.sql, slice, column, count);
}

/** For each further reader, what makes it see exactly what the first one sees (PostgreSQL, SET TRANSACTION SNAPSHOT). */
async function joinSnapshot(client: pg.Client, count: number): Promise<((reader: pg.Client) => Promise<void>)[]> {
  if (count < 1) return [];
  const exported = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const id = exported.rows[0]?.id ?? '';
  return Array.from({ length: count }, () => async (reader: pg.Client) => {
    await reader.query(BEGIN);
    await reader.query(`SET TRANSACTION SNAPSHOT '${id}'`);
  });
}

interface Reading {
  relation: Relation;
  columns: readonly PostgresColumn[];
  /** Shared by all readers: each takes the next part when it is done with one. */
  queue: ArrayIterator<Slice>;
  landing: TextRows;
  fetchRows: number;
}

async function readParts(client: pg.Client, { relation, columns, queue, landing, fetchRows }: Reading): Promise<void> {
  const list = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const prepared = columns.flatMap(({ prepare }, at) => (prepare === undefined ? [] : [{ at, prepare }]));
  for (const { where, values } of queue) {
    const text = `SELECT ${list} FROM ${relation.sql} AS q WHERE ${where}`;
    const cursor = client.query(new Cursor<TextRow>(text, [...values], { rowMode: 'array', types: AS_TEXT }));
    let wanted = Math.min(FIRST_FETCH_ROWS, fetchRows);
    for (;;) {
      const rows = await cursor.read(wanted);
      if (rows.length === 0) break;
      await landing.append(prepared.length === 0 ? rows : rows.map((row) => prepareRow(row, prepared)));
      wanted = nextFetch(rows, fetchRows);
    }
    await cursor.close();
  }
}

function prepareRow(row: TextRow, prepared: readonly { at: number; prepare: (text: string) => string }[]): TextRow {
  const copy = [...row];
  for (const { at, prepare } of prepared) {
    const text = copy[at];
    if (typeof text === 'string') copy[at] = prepare(text);
  }
  return copy;
}

function nextFetch(rows: readonly TextRow[], fetchRows: number): number {
  let characters = 1;
  for (const row of rows) for (const text of row) characters += text?.length ?? 0;
  const fitting = Math.floor((FETCH_CHARACTERS * rows.length) / characters);
  return Math.max(1, Math.min(fetchRows, fitting));
}

/** The largest value among the rows that were just read; undefined when there were none. */
async function newWatermark(
  client: pg.Client,
  relation: Relation,
  { where, values }: Slice,
  column: PostgresColumn | undefined,
): Promise<string | undefined> {
  if (column === undefined) return undefined;
  const result = await client.query<{ watermark: string | null }>(
    `SELECT max(${watermarkSql(column)})::text AS watermark FROM ${relation.sql} AS q WHERE ${where}`,
    [...values],
  );
  return result.rows[0]?.watermark ?? undefined;
}
