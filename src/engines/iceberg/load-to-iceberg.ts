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
import { describeInput, INPUT, type LoadWriter, writeLoad } from './written-load.ts';

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
  const { catalog, duckdb } = deps;
  const identifier = parseTableIdentifier(request.table);
  let columns: InputColumn[] | undefined;
  let attempts = 0;
  context.signal.throwIfAborted();
  try {
    for (let write = 1; write <= MAX_WRITES; write++) {
      const table = await catalog.loadTable(identifier);
      const found = table === undefined ? undefined : findLoad(table.metadata, request.loadName);
      if (found !== undefined) return alreadyThere(found, request, attempts, context);
      columns ??= await describeInput(duckdb, request.input, context.signal, {
        footersOnly: deps.writer !== undefined,
      });
      const committed = await writeAndCommit(request, identifier, table, columns, deps, context).catch(madeMeanwhile);
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

async function writeAndCommit(
  request: IcebergLoadRequest,
  identifier: TableIdentifier,
  table: LoadedTable | undefined,
  columns: readonly InputColumn[],
  { catalog, duckdb, writer }: IcebergLoadDependencies,
  context: EngineContext,
): Promise<CommitOutcome> {
  const { loadName, mergeKeys, partitionBy, schemaEvolution, input, interval } = request;
  const mode: LoadToCommit['mode'] = interval === undefined ? request.mode : 'replace_interval';
  const { signal } = context;
  const replan = (now: LoadedTable | undefined): Promise<LoadPlan> =>
    planLoad({ identifier, partitionBy, schemaEvolution }, now, columns, catalog);
  const plan = await replan(table);
  const { io } = plan.table;
  if (mode !== 'append') refuseToReplace(await plan.table.manifests.currentManifests(plan.table.metadata));
  const merge = request.mode === 'merge' ? new Merge(plan, mergeKeys, input, duckdb) : undefined;
  const replacement = ((): Replacement | undefined => {
    if (interval !== undefined) return new IntervalReplacement(interval, input, duckdb);
    return request.mode === 'overwrite_partition' ? new PartitionReplacement(input, duckdb) : merge;
  })();
  const inspect = async (rows: DuckDbSession): Promise<void> => {
    if (interval !== undefined) await refuseRowsOutside(rows, INPUT, interval);
    await merge?.inspect(rows);
  };
  const uncommitted: string[] = [];
  try {
    const toWrite = { plan, input, uncommitted, signal };
    if (writer !== undefined && replacement !== undefined) {
      await duckdb.withSession({ signal, inputs: { [INPUT]: input } }, inspect);
    }
    const files = writer === undefined ? await writeLoad(toWrite, duckdb, inspect) : await writer(toWrite);
    context.progress(0.8);
    const { log } = context;
    const load = { loadName, identifier, mode, plan, files, replacement, interval, replan, uncommitted, signal, log };
    const committed = await commitLoad(load, catalog);
    if (committed.outcome !== 'committed') await deleteFiles(uncommitted, io);
    return committed;
  } catch (error) {
    await deleteFiles(uncommitted, io);
    throw error;
  }
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
