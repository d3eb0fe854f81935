/**
 * The commit of files that are written already (spec section 2, "External jobs: exactly one"; Iceberg spec, "Optimistic
 * Concurrency"): read the table, look the load's name up in that very metadata, build a snapshot on it, and let the
 * catalog swap it in if the table is still the one that was read. When others came first, all of it is done again on
 * what they left, except writing the data files.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import { CommitConflict, type IcebergCatalog, type LoadedTable, type TableIdentifier } from './catalog.ts';
import type { DataFile } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { currentManifests, ManifestReader, refuseToReplace } from './live-files.ts';
import { findLoad, LOAD_SUMMARY_KEY, recordLoad, type CommittedLoad } from './load-ledger.ts';
import { sameFiles, type LoadPlan } from './load-plan.ts';
import type { Merge } from './merge.ts';
import { replaceFiles, replacePartitions, type Replaced } from './replace-files.ts';
import type { TableUpdate } from './table-changes.ts';
import { writeSnapshot, type SnapshotChange } from './write-snapshot.ts';

/** With the waits below some minutes, and far more writers at once than a table will see. */
const MAX_COMMIT_ATTEMPTS = 100;
const BACKOFF = { firstMs: 20, mostMs: 2000 };

export interface LoadToCommit {
  loadName: string;
  identifier: TableIdentifier;
  mode: 'append' | 'overwrite' | 'overwrite_partition' | 'merge';
  /** By which `files` were written. */
  plan: LoadPlan;
  /** The rows of the load. */
  files: readonly DataFile[];
  /** For mode `merge`. */
  merge: Merge | undefined;
  /** How the rows would go into the table as others left it. */
  replan: (table: LoadedTable | undefined) => Promise<LoadPlan>;
  /** URIs of what is written and not committed. */
  uncommitted: string[];
  signal: AbortSignal;
}

export type CommitOutcome = { attempts: number } & (
  | ({ outcome: 'committed' } & CommittedLoad)
  /** An attempt that was thought lost did it. */
  | ({ outcome: 'found' } & CommittedLoad)
  /** Nothing was committed, and the files do not fit the table any more. */
  | { outcome: 'files-outdated' }
);

/** Thrown around what made a commit fail so that nobody knows whether it happened: nothing may be deleted then. */
export class CommitOutcomeUnknown extends Error {
  override readonly name = 'CommitOutcomeUnknown';

  constructor(cause: unknown) {
    super('nobody knows whether the commit happened', { cause });
  }
}

/**
 * @throws CommitOutcomeUnknown
 * @throws EngineError `CommitConflictError` when others kept winning; nothing was committed then, nor with any other error
 */
export async function commitLoad(load: LoadToCommit, catalog: IcebergCatalog): Promise<CommitOutcome> {
  const manifests = new ManifestReader(load.plan.table.io);
  let { plan } = load;
  for (let attempts = 1; attempts <= MAX_COMMIT_ATTEMPTS; attempts++) {
    if (attempts > 1) {
      await backOff(attempts, load.signal);
      const table = await catalog.loadTable(load.identifier);
      const found = table === undefined ? undefined : findLoad(table.metadata, load.loadName);
      if (found !== undefined) return { outcome: 'found', attempts: attempts - 1, ...found };
      plan = await load.replan(table);
      if (!sameFiles(plan, load.plan)) return { outcome: 'files-outdated', attempts: attempts - 1 };
    }
    const committed = await tryCommit(load, plan, catalog, manifests);
    if (committed !== undefined) return { outcome: 'committed', attempts, ...committed };
  }
  throw new EngineError('CommitConflictError', `others committed first, ${MAX_COMMIT_ATTEMPTS} times in a row`);
}

/** Undefined after a conflict, with nothing left of the attempt. */
async function tryCommit(
  load: LoadToCommit,
  plan: LoadPlan,
  catalog: IcebergCatalog,
  manifests: ManifestReader,
): Promise<CommittedLoad | undefined> {
  const { metadata, io } = plan.table;
  const change = await changeOf(load, plan, manifests);
  const size = sizeOf(load.files);
  const metadataFiles: string[] = [];
  let snapshotId: bigint;
  try {
    const summary = { [LOAD_SUMMARY_KEY]: load.loadName };
    const snapshot = await writeSnapshot(metadata, plan, { ...change, summary }, io, metadataFiles);
    snapshotId = snapshot['snapshot-id'];
    load.signal.throwIfAborted();
    const updates: TableUpdate[] = [
      ...plan.updates,
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
      ...recordLoad(metadata, load.loadName, { snapshotId, ...size }, snapshot['timestamp-ms']),
    ];
    await catalog.commitTable(load.identifier, plan.requirements, updates).catch((error: unknown) => {
      throw error instanceof CommitConflict ? error : new CommitOutcomeUnknown(error);
    });
  } catch (error) {
    if (error instanceof CommitOutcomeUnknown) throw error;
    await deleteFiles(metadataFiles, io);
    if (error instanceof CommitConflict) return undefined;
    throw error;
  }
  // A merge may have prepared replacements for files that others replaced before it.
  const used = new Set(change.added.map((file) => file.path));
  const unused = load.uncommitted.splice(0).filter((uri) => !used.has(uri));
  await deleteFiles(unused, io);
  return { snapshotId: String(snapshotId), ...size };
}

/** Which files the snapshot adds and removes, for the table as it is now. */
async function changeOf(
  load: LoadToCommit,
  plan: LoadPlan,
  reader: ManifestReader,
): Promise<Omit<SnapshotChange, 'summary'>> {
  const { mode, merge, files } = load;
  const { metadata, io } = plan.table;
  const manifests = await currentManifests(metadata, io);
  if (mode === 'append') return { added: files, kept: manifests, rewritten: [], removed: new Set() };
  refuseToReplace(metadata, manifests);
  return replaceFiles(await reader.liveDataFiles(metadata, manifests), async (live): Promise<Replaced> => {
    if (mode === 'overwrite') return { removed: live, added: files };
    if (merge === undefined) return replacePartitions(live, files);
    const replaced = await merge.replace(plan, live, load.uncommitted, load.signal);
    return { removed: replaced.removed, added: [...files, ...replaced.added] };
  });
}

/** Deletes what was written for a commit that surely does not happen. What cannot be deleted is in nobody's way. */
export async function deleteFiles(uris: readonly string[], io: FileIo): Promise<void> {
  await inParallel(uris, (uri) => io.delete(uri).catch(() => undefined));
}

function sizeOf(files: readonly DataFile[]): { rows: number; bytes: number } {
  return {
    rows: files.reduce((sum, file) => sum + Number(file.recordCount), 0),
    bytes: files.reduce((sum, file) => sum + Number(file.sizeBytes), 0),
  };
}

/** Random, so that writers that met once do not meet again. */
async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const mostMs = Math.min(BACKOFF.mostMs, BACKOFF.firstMs * 2 ** (attempt - 1));
  await sleep(Math.random() * mostMs, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}
