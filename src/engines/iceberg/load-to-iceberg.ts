/**
 * The Iceberg sink (spec section 3; "a run's rows are committed once", section 2): rows of a dataset become a snapshot
 * of a table, however often it is tried.
 *
 * The data files are written first, then committed by a loop: read the table, look the load's name up in that very
 * metadata, build a snapshot on it, and let the catalog swap it in if the table is still the one that was read. When
 * others came first, only the commit is done again, on what they left. What a SIGKILL leaves at any moment is either
 * files that no snapshot names, or a commit whose name the next attempt finds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { CommitConflict, parseTableIdentifier, type IcebergCatalog, type LoadedTable } from './catalog.ts';
import type { DataFile } from './data-file.ts';
import type { InputColumn } from './duckdb-types.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { currentManifests, ManifestReader } from './live-files.ts';
import { findLoad, LOAD_SUMMARY_KEY, recordLoad, type CommittedLoad } from './load-ledger.ts';
import { planLoad, sameFiles, type LoadPlan } from './load-plan.ts';
import { Merge } from './merge.ts';
import { replaceFiles, replacePartitions } from './replace-files.ts';
import type { TableUpdate } from './table-changes.ts';
import { writeSnapshot } from './write-snapshot.ts';
import { describeInput, writeLoad } from './written-load.ts';

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
}

/** With the waits below some minutes, and far more writers at once than a table will see. */
const MAX_COMMIT_ATTEMPTS = 100;
/** How often the data files are written anew because somebody changed the schema or the partitioning meanwhile. */
const MAX_WRITES = 5;
const BACKOFF = { firstMs: 20, mostMs: 2000 };

/**
 * @throws EngineError `SchemaConflictError` when the rows do not fit the table, `ValidationError` for bad merge keys or
 *   values, `UnsupportedError` for a table this writer must not touch, `CommitConflictError` when others kept winning,
 *   `UnavailableError` when the disk is full; `signal.reason` when aborted
 */
export async function loadToIceberg(
  request: IcebergLoadRequest,
  deps: IcebergLoadDependencies,
  context: EngineContext,
): Promise<IcebergLoadResult> {
  const load = new Load(request, deps, context);
  try {
    return await load.run();
  } catch (error) {
    if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new EngineError('UnavailableError', 'the disk of the Iceberg warehouse is full', { cause: error });
    }
    throw error;
  }
}

/** Data files that no snapshot names yet, and the plan they were written by. */
interface Written {
  plan: LoadPlan;
  files: DataFile[];
  merge: Merge | undefined;
}

class Load {
  readonly #request: IcebergLoadRequest;
  readonly #deps: IcebergLoadDependencies;
  readonly #context: EngineContext;
  readonly #identifier: ReturnType<typeof parseTableIdentifier>;
  /** URIs of what was written and is not committed, to be deleted when it surely never will be. */
  readonly #uncommitted: string[] = [];
  #outcomeUnknown = false;
  #attempts = 0;

  constructor(request: IcebergLoadRequest, deps: IcebergLoadDependencies, context: EngineContext) {
    this.#request = request;
    this.#deps = deps;
    this.#context = context;
    this.#identifier = parseTableIdentifier(request.table);
  }

  async run(): Promise<IcebergLoadResult> {
    const { catalog, duckdb } = this.#deps;
    const { signal } = this.#context;
    signal.throwIfAborted();
    let columns: InputColumn[] | undefined;
    for (let write = 1; write <= MAX_WRITES; write++) {
      const table = await catalog.loadTable(this.#identifier);
      const committed = this.#findIn(table);
      if (committed !== undefined) return this.#alreadyThere(committed);
      columns ??= await describeInput(duckdb, this.#request.input, signal);
      const plan = await this.#plan(table, columns);
      const { io } = plan.table;
      try {
        const result = await this.#commit(await this.#write(plan), table, columns);
        if (result !== undefined) return result;
        this.#context.log('warn', 'the schema or the partitioning of the table changed meanwhile; writing again');
      } catch (error) {
        if (!this.#outcomeUnknown) await this.#deleteUncommitted(io);
        throw error;
      }
      await this.#deleteUncommitted(io);
    }
    throw new EngineError('CommitConflictError', `the shape of ${this.#request.table} kept changing`);
  }

  async #write(plan: LoadPlan): Promise<Written> {
    const { mode, mergeKeys, input } = this.#request;
    const { duckdb } = this.#deps;
    const merge = mode === 'merge' ? new Merge(plan, mergeKeys, input, duckdb) : undefined;
    const files = await writeLoad(plan, input, duckdb, this.#context.signal, async (session) =>
      merge?.inspect(session),
    );
    this.#uncommitted.push(...files.map((file) => file.path));
    this.#context.progress(0.8);
    return { plan, files, merge };
  }

  /** Undefined when the files do not fit the table as it is now. */
  async #commit(
    written: Written,
    first: LoadedTable | undefined,
    columns: readonly InputColumn[],
  ): Promise<IcebergLoadResult | undefined> {
    const manifests = new ManifestReader(written.plan.table.io);
    let table = first;
    let { plan } = written;
    for (let attempt = 1; attempt <= MAX_COMMIT_ATTEMPTS; attempt++) {
      if (attempt > 1) {
        await backOff(attempt, this.#context.signal);
        table = await this.#deps.catalog.loadTable(this.#identifier);
        const committed = this.#findIn(table);
        if (committed !== undefined) {
          await this.#deleteUncommitted(plan.table.io);
          return this.#alreadyThere(committed);
        }
        plan = await this.#plan(table, columns);
        if (!sameFiles(plan, written.plan)) return undefined;
      }
      this.#attempts += 1;
      const result = await this.#tryCommit({ ...written, plan }, table, manifests);
      if (result !== undefined) return result;
    }
    throw new EngineError(
      'CommitConflictError',
      `others committed to ${this.#request.table} first, ${MAX_COMMIT_ATTEMPTS} times`,
    );
  }

  /** Undefined after a conflict, with nothing left of the attempt. */
  async #tryCommit(
    { plan, files, merge }: Written,
    table: LoadedTable | undefined,
    reader: ManifestReader,
  ): Promise<IcebergLoadResult | undefined> {
    const { loadName, mode } = this.#request;
    const { metadata, io } = plan.table;
    const { signal } = this.#context;
    const current = table === undefined ? [] : await currentManifests(metadata, io);
    const change =
      mode === 'append'
        ? { added: files, kept: current, rewritten: [], removed: new Set<string>() }
        : await replaceFiles(await reader.liveDataFiles(metadata, current), async (live) => {
            if (mode === 'overwrite') return { removed: live, added: files };
            if (merge === undefined) return replacePartitions(live, files);
            const replaced = await merge.replace(plan, live, this.#uncommitted, signal);
            return { removed: replaced.removed, added: [...files, ...replaced.added] };
          });
    const metadataFiles: string[] = [];
    const summary = { [LOAD_SUMMARY_KEY]: loadName };
    try {
      const snapshot = await writeSnapshot(metadata, plan, { ...change, summary }, io, metadataFiles);
      signal.throwIfAborted();
      const loaded = { snapshotId: snapshot['snapshot-id'], ...sizeOf(files) };
      const updates: TableUpdate[] = [
        ...plan.updates,
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': loaded.snapshotId },
        ...recordLoad(metadata, loadName, loaded, snapshot['timestamp-ms']),
      ];
      this.#outcomeUnknown = true;
      await this.#deps.catalog.commitTable(this.#identifier, plan.requirements, updates);
      await this.#deleteUnused(change.added, io);
      this.#context.progress(1);
      return {
        ...loaded,
        snapshotId: String(loaded.snapshotId),
        alreadyCommitted: false,
        commitAttempts: this.#attempts,
      };
    } catch (error) {
      if (error instanceof CommitConflict) this.#outcomeUnknown = false;
      if (!this.#outcomeUnknown) await deleteAll(metadataFiles, io);
      if (error instanceof CommitConflict) return undefined;
      throw error;
    }
  }

  #plan(table: LoadedTable | undefined, columns: readonly InputColumn[]): Promise<LoadPlan> {
    const { partitionBy, schemaEvolution } = this.#request;
    return planLoad({ identifier: this.#identifier, partitionBy, schemaEvolution }, table, columns, this.#deps.catalog);
  }

  #findIn(table: LoadedTable | undefined): CommittedLoad | undefined {
    return table === undefined ? undefined : findLoad(table.metadata, this.#request.loadName);
  }

  #alreadyThere(committed: CommittedLoad): IcebergLoadResult {
    this.#context.log('info', `the rows are in ${this.#request.table} already; nothing was written`);
    this.#context.progress(1);
    return { ...committed, alreadyCommitted: true, commitAttempts: this.#attempts };
  }

  /** A merge may have prepared replacements for files that others replaced before it. */
  async #deleteUnused(committed: readonly DataFile[], io: FileIo): Promise<void> {
    const used = new Set(committed.map((file) => file.path));
    await deleteAll(
      this.#uncommitted.filter((uri) => !used.has(uri)),
      io,
    );
  }

  async #deleteUncommitted(io: FileIo): Promise<void> {
    await deleteAll(this.#uncommitted.splice(0), io);
  }
}

function sizeOf(files: readonly DataFile[]): { rows: number; bytes: number } {
  return {
    rows: files.reduce((sum, file) => sum + Number(file.recordCount), 0),
    bytes: files.reduce((sum, file) => sum + Number(file.sizeBytes), 0),
  };
}

async function deleteAll(uris: readonly string[], io: FileIo): Promise<void> {
  await inParallel(uris, (uri) => io.delete(uri));
}

/** Random, so that writers that met once do not meet again. */
async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const mostMs = Math.min(BACKOFF.mostMs, BACKOFF.firstMs * 2 ** (attempt - 1));
  await sleep(Math.random() * mostMs, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}
