/**
 * The commit of files that are written already (spec section 2, "External jobs: exactly one"; Iceberg spec, "Optimistic
 * Concurrency"): read the table, look the load's name up in that very metadata, build a snapshot on it, and let the
 * catalog swap it in if the table is still the one that was read. When others came first, all of it is done again on
 * what they left, except writing the data files.
 *
 * When nobody knows whether a commit happened (the answer was lost, a gateway gave up), the same is done: the load's
 * name is looked up before anything else, and a commit that is still on its way cannot happen beside the next one,
 * since both require the table to be what it was. Files that the lost one names are never deleted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import type { Interval } from '../sources/interval.ts';
import {
  CommitConflict,
  CommitRefused,
  type IcebergCatalog,
  type LoadedTable,
  type TableIdentifier,
} from './catalog.ts';
import type { DataFile } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { inTurn } from './commit-turns.ts';
import { forgetSnapshots } from './forget-snapshots.ts';
import type { ManifestReader } from './live-files.ts';
import { findLoad, loadSummary, recordLoad, type CommittedLoad } from './load-ledger.ts';
import { sameFiles, type LoadPlan } from './load-plan.ts';
import { replaceFiles, type FileChange, type Replacement } from './replace-files.ts';
import type { TableUpdate } from './table-changes.ts';
import { writeSnapshot } from './write-snapshot.ts';

/** With the waits below some minutes, and far more writers at once than a table will see. */
const MAX_COMMIT_ATTEMPTS = 100;
const BACKOFF = { firstMs: 20, mostMs: 2000 };
/** After that many commits of unknown outcome the attempt ends; the next one begins with looking the load up. */
const MAX_DOUBTS = 3;
/** Longer than after a conflict: the catalog may still be at it. */
const DOUBT_BACKOFF = { firstMs: 1000, mostMs: 8000 };

export interface LoadToCommit {
  loadName: string;
  identifier: TableIdentifier;
  mode: 'append' | 'overwrite' | 'overwrite_partition' | 'merge' | 'replace_interval';
  /** By which `files` were written. */
  plan: LoadPlan;
  /** The rows of the load. */
  files: readonly DataFile[];
  /** For the modes that replace some of the rows, decides file by file. */
  replacement: Replacement | undefined;
  /** For mode `replace_interval`: the interval. */
  interval: Interval | undefined;
  /** How the rows would go into the table as others left it. */
  replan: (table: LoadedTable | undefined) => Promise<LoadPlan>;
  /** URIs of what is written and not committed. */
  uncommitted: string[];
  signal: AbortSignal;
  log: EngineContext['log'];
}

export type CommitOutcome = { attempts: number } & WithoutAttempts;

type WithoutAttempts =
  | ({ outcome: 'committed' } & CommittedLoad)
  /** An attempt that was thought lost did it. */
  | ({ outcome: 'found' } & CommittedLoad)
  /** Nothing was committed, and the files do not fit the table any more. */
  | { outcome: 'files-outdated' };

/**
 * @throws EngineError `CommitConflictError` when others kept winning, and nothing was committed; `UnavailableError` when
 *   nobody could find out whether it was
 * @throws CommitConflict when others make a table that is not there yet; nothing was committed
 */
export async function commitLoad(load: LoadToCommit, catalog: IcebergCatalog): Promise<CommitOutcome> {
  const { identifier, plan: first, signal } = load;
  const table = [...identifier.namespace, identifier.name].join('.');
  const reader = first.table.manifests;
  const doubts: Doubt[] = [];
  // Before the turn, since it may take long: others commit meanwhile.
  const change = await changeOf(load, first, reader);
  for (let attempts = 1; ; attempts++) {
    const tried = await inTurn(catalog, table, signal, async (waited) => {
      if (attempts === 1 && !waited) return { ...(await tryCommit(load, first, change, catalog, reader)), attempts };
      const now = await lookAgain(load, catalog, doubts);
      if (!('plan' in now)) return { ...now, attempts: attempts - 1 };
      if (attempts > MAX_COMMIT_ATTEMPTS) {
        throw new EngineError('CommitConflictError', `others committed first, ${MAX_COMMIT_ATTEMPTS} times in a row`);
      }
      const changed = await changeOf(load, now.plan, reader);
      return { ...(await tryCommit(load, now.plan, changed, catalog, reader)), attempts };
    });
    if (tried.outcome === 'conflict') await backOff(BACKOFF, attempts, signal);
    else if (tried.outcome === 'in-doubt') {
      doubts.push(tried);
      const { error } = tried;
      load.log('warn', `nobody knows whether commit ${attempts} happened (${messageOf(error)}); looking it up`);
      await backOff(DOUBT_BACKOFF, doubts.length, signal);
    } else return tried;
  }
}

/** The table as others left it: whether it has the load by now, and how the rows would go into it. */
async function lookAgain(
  { loadName, identifier, plan: first, replan }: LoadToCommit,
  catalog: IcebergCatalog,
  doubts: readonly Doubt[],
): Promise<WithoutAttempts | { plan: LoadPlan }> {
  const table = await catalog.loadTable(identifier);
  const found = table === undefined ? undefined : findLoad(table.metadata, loadName);
  if (found !== undefined) {
    const ours = doubts.some(({ snapshotId }) => snapshotId === found.snapshotId);
    return { outcome: ours ? 'committed' : 'found', ...found };
  }
  const last = doubts.at(-1);
  if (last !== undefined && doubts.length >= MAX_DOUBTS) throw outcomeUnknown(last.error);
  const plan = await replan(table);
  return sameFiles(plan, first) ? { plan } : { outcome: 'files-outdated' };
}

/** A commit that may have happened, and the snapshot that it then made. */
interface Doubt {
  snapshotId: string;
  error: unknown;
}

type Tried =
  | ({ outcome: 'committed' } & CommittedLoad)
  /** With nothing left of it. */
  | { outcome: 'conflict' }
  /** With everything left that it wrote, and nothing of that in `uncommitted` any more. */
  | ({ outcome: 'in-doubt' } & Doubt);

async function tryCommit(
  load: LoadToCommit,
  plan: LoadPlan,
  change: FileChange,
  catalog: IcebergCatalog,
  reader: ManifestReader,
): Promise<Tried> {
  const { metadata, io } = plan.table;
  const size = sizeOf(load.files);
  const metadataFiles: string[] = [];
  let snapshotId: string;
  try {
    const summary = loadSummary(load.loadName, size);
    const snapshot = await writeSnapshot({ plan, change, summary, reader, written: metadataFiles });
    const id = snapshot['snapshot-id'];
    snapshotId = String(id);
    load.signal.throwIfAborted();
    const updates: TableUpdate[] = [
      ...plan.updates,
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ...recordLoad(metadata, load, { snapshotId: id, ...size }, snapshot['timestamp-ms']),
      ...forgetSnapshots(metadata, load.loadName),
    ];
    const doubt = await commitOrDoubt(catalog, load.identifier, plan.requirements, updates);
    if (doubt !== undefined) {
      load.uncommitted.length = 0;
      return { outcome: 'in-doubt', snapshotId, error: doubt.error };
    }
  } catch (error) {
    await deleteFiles(metadataFiles, io);
    if (error instanceof CommitConflict) return { outcome: 'conflict' };
    throw error instanceof CommitRefused ? error.cause : error;
  }
  // A merge, say, may have prepared replacements for files that others replaced before it.
  const used = new Set(change.added.map((file) => file.path));
  const unused = load.uncommitted.splice(0).filter((uri) => !used.has(uri));
  await deleteFiles(unused, io);
  return { outcome: 'committed', snapshotId, ...size };
}

/** @throws CommitConflict, CommitRefused */
async function commitOrDoubt(
  catalog: IcebergCatalog,
  ...commit: Parameters<IcebergCatalog['commitTable']>
): Promise<{ error: unknown } | undefined> {
  try {
    await catalog.commitTable(...commit);
    return undefined;
  } catch (error) {
    if (error instanceof CommitConflict || error instanceof CommitRefused) throw error;
    return { error };
  }
}

function outcomeUnknown(cause: unknown): EngineError {
  const message = `nobody knows whether the rows were committed, the next attempt looks them up: ${messageOf(cause)}`;
  return new EngineError('UnavailableError', message, { cause });
}

/** Which files the snapshot adds and removes, for the table as it is now. */
async function changeOf(load: LoadToCommit, plan: LoadPlan, reader: ManifestReader): Promise<FileChange> {
  const { mode, files, replacement, uncommitted, signal } = load;
  const manifests = await reader.currentManifests(plan.table.metadata);
  if (mode === 'append') return { added: files, kept: manifests, rewritten: [], removed: new Set() };
  // No mode is what is left over when it is none of the others: a mistake must never replace rows.
  if ((mode === 'overwrite') === (replacement !== undefined)) throw new TypeError(`no mode of a load: ${mode}`);
  return replaceFiles({ plan, files, uncommitted, signal }, replacement, manifests, reader);
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
async function backOff(wait: typeof BACKOFF, times: number, signal: AbortSignal): Promise<void> {
  const mostMs = Math.min(wait.mostMs, wait.firstMs * 2 ** times);
  await sleep(Math.random() * mostMs, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}
