import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import type { PostgresSink } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { withoutValuelessTypes } from '../duckdb/valueless-columns.ts';
import { isPostgresUrl } from '../postgres/connection-url.ts';
import { withPostgres } from '../postgres/with-postgres.ts';
import type { Interval } from '../sources/interval.ts';
import { copyRows } from './copy-rows.ts';
import { mergeRows, stageForMerge } from './merge-rows.ts';
import { claimLoad, ensureLedger, type LoadRecord, recordLoad } from './postgres-ledger.ts';
import { type InputColumn, locateTable, prepareTable, type TargetTable, type WrittenColumn } from './postgres-table.ts';
import { deleteRowsOfInterval } from './replace-rows-of-interval.ts';
import { refuseRowsOutside } from './rows-of-interval.ts';

export interface PostgresLoad {
  input: Dataset;
  /** `sink.connection` with its secrets: `postgres://…` */
  connectionUrl: string;
  /** `table` or `schema.table`, names exactly as written. */
  table: string;
  mode: PostgresSink['mode'];
  /** Of mode merge. */
  mergeKeys: readonly string[];
  /** Names this load in all its attempts, see `postgres-ledger.ts`. */
  loadName: string;
  /** Whatever the mode: exactly the rows of this interval are replaced, and none may be elsewhere. */
  interval?: Interval | undefined;
}

export interface PostgresLoaded extends LoadRecord {
  /** An earlier attempt had committed; nothing was written now. */
  alreadyCommitted: boolean;
}

/**
 * How long an attempt waits for another that holds its load's name or the table. Longer than the server lets a silent
 * one live (`with-postgres.ts`, `copy-rows.ts`), so that a stopped process delays its successor and does not fail it.
 */
const SETTINGS = { lock_timeout: '600s' };

/**
 * Loads rows into a PostgreSQL table exactly once (spec section 2): one transaction holds the ledger row that names the
 * load, taken first so that two attempts come one after the other, and all the rows. A missing table is made in it.
 *
 * append adds the rows; overwrite replaces all there are; merge updates the rows with equal keys and adds the others.
 *
 * @throws EngineError `SchemaConflictError` when the rows do not fit the table; `ValidationError` for wrong keys, names
 *   and values; `PermissionDeniedError`, `UnavailableError` as the server says. Nothing is written then.
 */
export async function loadToPostgres(
  engine: DuckDbEngine,
  request: PostgresLoad,
  context: EngineContext,
): Promise<PostgresLoaded> {
  const { input, connectionUrl, loadName } = request;
  if (!isPostgresUrl(connectionUrl)) {
    throw new EngineError('ValidationError', 'connection: expected postgres://user:password@host:port/database');
  }
  const { signal } = context;
  // DuckDB first: the transaction must not stand open while this waits for memory.
  return engine.withSession({ signal, inputs: { input } }, (session) =>
    withPostgres({ url: connectionUrl, signal, settings: SETTINGS }, async (client) => {
      const { columns: described } = await session.describe('SELECT * FROM input');
      const rowColumns = await withoutValuelessTypes(session, 'input', described);
      const keys = request.mode === 'merge' ? keysOf(request.mergeKeys, rowColumns) : [];
      if (request.interval !== undefined) await refuseRowsOutside(session, 'input', request.interval);
      const table = await locateTable(client, request.table);
      await ensureLedger(client, table);
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
      const earlier = await claimLoad(client, table, loadName);
      if (earlier !== undefined) {
        context.log('info', `${loadName} was loaded by an earlier attempt`);
        return { ...earlier, alreadyCommitted: true };
      }
      const columns = await prepareTable(client, table, rowColumns);
      const load = { session, client, table, columns, keys, rows: input.rows, context };
      const loaded =
        request.interval === undefined ? await WRITE[request.mode](load) : await replace(load, request.interval);
      await recordLoad(client, table, loadName, loaded);
      signal.throwIfAborted();
      await client.query('COMMIT');
      context.log('info', `loaded ${loaded.rows} rows into ${table.schema}.${table.name} (${request.mode})`);
      return { ...loaded, alreadyCommitted: false };
    }),
  );
}

interface Load {
  session: DuckDbSession;
  client: pg.Client;
  table: TargetTable;
  columns: readonly WrittenColumn[];
  keys: readonly string[];
  /** As the dataset says, for progress. */
  rows: number;
  context: EngineContext;
}

const WRITE: Readonly<Record<PostgresSink['mode'], (load: Load) => Promise<LoadRecord>>> = {
  append: (load) => copyInto(load, load.table.sql),
  async overwrite(load) {
    await lockAgainstWriters(load);
    // Not TRUNCATE: it would lock readers out until the commit, and show an empty table to those with older snapshots.
    await load.client.query(`DELETE FROM ${load.table.sql}`);
    return copyInto(load, load.table.sql);
  },
  async merge(load) {
    await lockAgainstWriters(load);
    const staged = await stageForMerge(load.client, load.table, load.columns);
    const copied = await copyInto(load, staged);
    await mergeRows(load.client, load.table, load.columns, load.keys);
    return copied;
  },
};

async function replace(load: Load, interval: Interval): Promise<LoadRecord> {
  await lockAgainstWriters(load);
  await deleteRowsOfInterval(load.client, load.table, load.columns, interval);
  return copyInto(load, load.table.sql);
}

/** Without it two loads at once would both delete the old rows and both add theirs. Readers go on. */
async function lockAgainstWriters({ client, table }: Load): Promise<void> {
  await client.query(`LOCK TABLE ${table.sql} IN SHARE ROW EXCLUSIVE MODE`);
}

function copyInto({ session, client, columns, rows, context }: Load, to: string): Promise<LoadRecord> {
  return copyRows(session, client, columns, to, (copied) => {
    context.progress(Math.min(copied / Math.max(rows, 1), 0.99));
  });
}

function keysOf(mergeKeys: readonly string[], columns: readonly InputColumn[]): readonly string[] {
  if (mergeKeys.length === 0) throw new EngineError('ValidationError', 'a merge needs merge_keys');
  const missing = mergeKeys.find((key) => !columns.some(({ name }) => name === key));
  if (missing !== undefined) {
    throw new EngineError('ValidationError', `merge_keys names ${missing}, which is no column of the rows`);
  }
  return mergeKeys;
}
