/**
 * The Iceberg sink (spec section 3; "a run's rows are committed once", section 2): rows of a dataset become a snapshot
 * of a table, however often it is tried.
 *
 * The data files are written first, then committed (`commit-load.ts`). What a SIGKILL leaves at any moment is either
 * files that no snapshot names, or a commit whose name the next attempt finds; a table is made by the commit of its
 * first rows, so a run that fails before leaves none.
 */
import { EngineError } from '../../errors.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { refuseRowsOutside } from '../sinks/rows-of-interval.ts';
import type { Interval } from '../sources/interval.ts';
import {
  CommitConflict,
  parseTableIdentifier,
  type IcebergCatalog,
  type LoadedTable,
  type TableIdentifier,
} from './catalog.ts';
import { commitLoad, deleteFiles, type CommitOutcome, type LoadToCommit } from './commit-load.ts';
import type { InputColumn } from './duckdb-types.ts';
import { refuseToReplace } from './live-files.ts';
import { findLoad, type CommittedLoad } from './load-ledger.ts';
import { planLoad, type LoadPlan } from './load-plan.ts';
import { Merge } from './merge.ts';
import type { Replacement } from './replace-files.ts';
import { IntervalReplacement } from './replace-interval.ts';
import { PartitionReplacement } from './replace-partitions.ts';
import type { DataFile } from './data-file.ts';
import { describeInput, INPUT, type LoadWriter, withRows, writeLoad } from './written-load.ts';

export interface IcebergLoadRequest {
  /** `<root execution>/<sink>`: the same in every attempt, also in retries of the run. */
  loadName: string;
  /** `namespace.table`, several levels of namespace allowed. */
  table: string;
  mode: 'append' | 'overwrite' | 'overwrite_partition' | 'merge';
  mergeKeys: string[];
  /** Of a new table; an existing one must be partitioned so, unless this is empty. */
  partitionBy: string[];
  schemaEvolution: 'none' | 'add_columns';
  input: Dataset;
  /** Whatever the mode: exactly the rows of this interval are replaced, and none may be elsewhere. */
  interval?: Interval | undefined;
}

export interface IcebergLoadResult {
  /** A 64-bit number in digits; null when an earlier attempt committed and its snapshot is not known any more. */
  snapshotId: string | null;
  /** Rows of the input, and the size of the files that they were written to. */
  rows: number;
  bytes: number;
  alreadyCommitted: boolean;
  /** 1 when nobody else committed at the same time, 0 when there was nothing to commit any more. */
  commitAttempts: number;
}

export interface IcebergLoadDependencies {
  catalog: IcebergCatalog;
  duckdb: DuckDbEngine;
  /** For rows that DuckDB is not to write. What a merge leaves of the table's own files it writes all the same. */
  writer?: LoadWriter;
}

/** How often the data files are written anew because somebody changed the schema or the partitioning meanwhile. */
const MAX_WRITES = 5;

/**
 * @throws EngineError `SchemaConflictError` when the rows do not fit the table, `ValidationError` for bad merge keys or
 *   values, `UnsupportedError` for a table this writer must not touch, `CommitConflictError` when others kept winning,
 *   `UnavailableError` when the disk is full, or the catalog away; `signal.reason` when aborted
 */
export async function loadToIceberg(
  request: IcebergLoadRequest,
  deps: IcebergLoadDependencies,
  context: EngineContext,
): Promise<IcebergLoadResult> {
  const { catalog } = deps;
  const identifier = parseTableIdentifier(request.table);
  let attempts = 0;
  context.signal.throwIfAborted();
  try {
    for (let write = 1; write <= MAX_WRITES; write++) {
      const table = await catalog.loadTable(identifier);
      const found = table === undefined ? undefined : findLoad(table.metadata, request.loadName);
      if (found !== undefined) return alreadyThere(found, request, attempts, context);
      const loading = { request, identifier, table, deps, context, uncommitted: [] };
      const committed = await writeAndCommit(loading).catch(madeMeanwhile);
      attempts += committed.attempts;
      if (committed.outcome === 'found') return alreadyThere(committed, request, attempts, context);
      if (committed.outcome === 'committed') {
        context.progress(1);
        return { ...told(committed, request), alreadyCommitted: false, commitAttempts: attempts };
      }
      context.log('warn', 'others made the table or changed its shape meanwhile; the rows are written again');
    }
  } catch (error) {
    throw diskFull(error) ?? error;
  }
  throw new EngineError('CommitConflictError', `the schema or the partitioning of ${request.table} kept changing`);
}

interface Loading {
  request: IcebergLoadRequest;
  identifier: TableIdentifier;
  /** As it was found; once that is planned, as it would be made. */
  table: LoadedTable | undefined;
  deps: IcebergLoadDependencies;
  context: EngineContext;
  /** URIs of files that no commit names yet. */
  uncommitted: string[];
}

async function writeAndCommit(loading: Loading): Promise<CommitOutcome> {
  const { request, identifier, deps, context, uncommitted } = loading;
  const { loadName, interval } = request;
  const { signal, log } = context;
  const undo = async (): Promise<void> => {
    if (loading.table !== undefined) await deleteFiles(uncommitted, loading.table.io);
  };
  try {
    const { mode, plan, replacement, replan, files } = await write(loading);
    context.progress(0.8);
    const load = { loadName, identifier, mode, plan, files, replacement, interval, replan, uncommitted, signal, log };
    const committed = await commitLoad(load, deps.catalog);
    if (committed.outcome !== 'committed') await undo();
    return committed;
  } catch (error) {
    await undo();
    throw error;
  }
}

/** How the rows go into the table, and the files that they are in then. */
async function write(loading: Loading): Promise<Planned & { files: DataFile[] }> {
  const { request, table, deps, context, uncommitted } = loading;
  const { duckdb, writer } = deps;
  const { input } = request;
  const { signal } = context;
  if (table !== undefined && writer === undefined) {
    return withRows(table, { input, signal }, duckdb, async (session, scratchFolder) => {
      const planned = await planLoading(loading, await describeInput(session));
      await planned.inspect(session);
      return {
        ...planned,
        files: await writeLoad({ plan: planned.plan, uncommitted, signal }, session, scratchFolder),
      };
    });
  }
  // Where a table that is not there yet will lie, its columns decide.
  const session = { signal, inputs: { [INPUT]: input } };
  const footersOnly = writer !== undefined;
  const columns = await duckdb.withSession({ ...session, footersOnly }, describeInput);
  const planned = await planLoading(loading, columns);
  const toWrite = { plan: planned.plan, input, uncommitted, signal };
  if (writer !== undefined) {
    if (planned.looksAtRows) await duckdb.withSession(session, planned.inspect);
    return { ...planned, files: await writer(toWrite) };
  }
  return withRows(planned.plan.table, { input, signal }, duckdb, async (open, scratchFolder) => {
    await planned.inspect(open);
    return { ...planned, files: await writeLoad(toWrite, open, scratchFolder) };
  });
}

type Planned = Pick<LoadToCommit, 'mode' | 'plan' | 'replacement' | 'replan'> & {
  /** Looks at the rows before they are written. */
  inspect: (session: DuckDbSession) => Promise<void>;
  /** Whether that does anything. */
  looksAtRows: boolean;
};

async function planLoading(loading: Loading, columns: readonly InputColumn[]): Promise<Planned> {
  const { request, identifier, table } = loading;
  const { catalog, duckdb } = loading.deps;
  const { mergeKeys, partitionBy, schemaEvolution, input, interval } = request;
  const mode: LoadToCommit['mode'] = interval === undefined ? request.mode : 'replace_interval';
  const replan = (now: LoadedTable | undefined): Promise<LoadPlan> =>
    planLoad({ identifier, partitionBy, schemaEvolution }, now, columns, catalog);
  const first = await replan(table);
  loading.table = first.table;
  const { manifests, metadata } = first.table;
  if (mode !== 'append') refuseToReplace(await manifests.currentManifests(metadata));
  const merge = request.mode === 'merge' ? new Merge(first, mergeKeys, input, duckdb) : undefined;
  const replacement = ((): Replacement | undefined => {
    if (interval !== undefined) return new IntervalReplacement(interval, input, duckdb);
    return request.mode === 'overwrite_partition' ? new PartitionReplacement(input, duckdb) : merge;
  })();
  const inspect = async (rows: DuckDbSession): Promise<void> => {
    if (interval !== undefined) await refuseRowsOutside(rows, INPUT, interval);
    await merge?.inspect(rows);
  };
  const looksAtRows = interval !== undefined || merge !== undefined;
  return { mode, plan: first, replacement, replan, inspect, looksAtRows };
}

/** Of a table that was not there when it was looked for and cannot be made any more: it is looked for again. */
function madeMeanwhile(error: unknown): CommitOutcome {
  if (error instanceof CommitConflict) return { outcome: 'files-outdated', attempts: 1 };
  throw error;
}

function alreadyThere(
  committed: CommittedLoad,
  request: IcebergLoadRequest,
  attempts: number,
  context: EngineContext,
): IcebergLoadResult {
  context.log('info', 'an earlier attempt committed these rows already; nothing was written');
  context.progress(1);
  return { ...told(committed, request), alreadyCommitted: true, commitAttempts: attempts };
}

/** What the table does not tell any more is told of the rows that were to be loaded. */
function told({ snapshotId, rows, bytes }: CommittedLoad, { input }: IcebergLoadRequest) {
  return { snapshotId, rows: rows ?? input.rows, bytes: bytes ?? input.bytes };
}

function diskFull(error: unknown): EngineError | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  return new EngineError('UnavailableError', 'the disk of the Iceberg warehouse is full', { cause: error });
}
