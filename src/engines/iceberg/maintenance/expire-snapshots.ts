/**
 * Old snapshots go: first the metadata forgets them, in one commit that requires every branch and tag to be where it was,
 * then the files are deleted that nothing names any more. Whoever is killed between leaves files that no commit refers
 * to, which `remove-orphan-files.ts` finds. The ledger of loads is in the table's properties and stays (`load-ledger.ts`).
 */
import { EngineError } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import { type IcebergCatalog, type LoadedTable, parseTableIdentifier } from '../catalog.ts';
import { inParallel } from '../in-parallel.ts';
import type { FileIo } from '../file-io.ts';
import type { TableRequirement, TableUpdate } from '../table-changes.ts';
import type { Snapshot, TableMetadata } from '../table-metadata.ts';
import { commitNamed, type PreparedCommit } from './commit-named.ts';
import { forLiveFiles, manifestsOf, statisticsFiles } from './file-references.ts';
import { type Retention, snapshotsToExpire } from './snapshots-to-expire.ts';

export interface ExpiryRequest extends Retention {
  maintenanceId: string;
  table: string;
}

export interface ExpiryResult {
  snapshots: number;
  /** Branches and tags that were older than they were to become. */
  refs: number;
  /** That only those snapshots had. */
  deletedFiles: number;
}

/** A property of the table, set by the commit itself: an attempt that was thought lost is found. */
const EXPIRY_PROPERTY = 'pipeline.maintenance.expired';

/**
 * @throws EngineError `UnsupportedError` for a table that forbids it (`gc.enabled`), and as `commitNamed`
 */
export async function expireSnapshots(
  request: ExpiryRequest,
  { catalog }: { catalog: IcebergCatalog },
  context: EngineContext,
): Promise<ExpiryResult> {
  let last: (PreparedCommit & { base: TableMetadata }) | undefined;
  const committed = await commitNamed(
    {
      catalog,
      identifier: parseTableIdentifier(request.table),
      find: ({ metadata }) => findExpiry(metadata, request.maintenanceId),
      prepare: ({ metadata }) => {
        last = prepareExpiry(metadata, request);
        return Promise.resolve(last);
      },
      doubted: () => undefined,
    },
    context,
  );
  if (committed === undefined) return { snapshots: 0, refs: 0, deletedFiles: 0 };
  const { table, left } = committed;
  // An attempt that only finds what another one committed does not know what that left to be deleted.
  const deletedFiles = last === undefined ? 0 : await deleteUnreferenced(last.base, table, context);
  return { ...left, deletedFiles };
}

function prepareExpiry(
  metadata: TableMetadata,
  request: ExpiryRequest,
): (PreparedCommit & { base: TableMetadata }) | undefined {
  refuseWithoutGc(metadata);
  const { snapshots, refs } = snapshotsToExpire(metadata, request, Date.now());
  if (snapshots.length === 0 && refs.length === 0) return undefined;
  const entry = { 'maintenance-id': request.maintenanceId, snapshots: snapshots.length, refs: refs.length };
  const updates: TableUpdate[] = [
    ...refs.map((name): TableUpdate => ({ action: 'remove-snapshot-ref', 'ref-name': name })),
    ...(snapshots.length === 0
      ? []
      : [{ action: 'remove-snapshots' as const, 'snapshot-ids': snapshots.map((one) => one['snapshot-id']) }]),
    { action: 'set-properties', updates: { [EXPIRY_PROPERTY]: JSON.stringify(entry) } },
  ];
  const requirements: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    ...Object.entries(metadata.refs ?? {}).map(([ref, { 'snapshot-id': id }]): TableRequirement => {
      return { type: 'assert-ref-snapshot-id', ref, 'snapshot-id': id };
    }),
  ];
  return { base: metadata, requirements, updates, written: [] };
}

function findExpiry(metadata: TableMetadata, maintenanceId: string): Omit<ExpiryResult, 'deletedFiles'> | undefined {
  try {
    const entry = JSON.parse(metadata.properties?.[EXPIRY_PROPERTY] ?? 'null') as Record<string, unknown> | null;
    if (entry?.['maintenance-id'] !== maintenanceId) return undefined;
    return { snapshots: Number(entry['snapshots'] ?? 0), refs: Number(entry['refs'] ?? 0) };
  } catch {
    return undefined;
  }
}

/** @throws EngineError `UnsupportedError` for a table whose owner wants no file of it deleted */
export function refuseWithoutGc(metadata: TableMetadata): void {
  if (metadata.properties?.['gc.enabled']?.toLowerCase() !== 'false') return;
  throw new EngineError(
    'UnsupportedError',
    'the table has gc.enabled=false: its files may be those of other tables, too',
  );
}

/** Deletes what `base` had and the table does not have any more; how many files. */
async function deleteUnreferenced(
  base: TableMetadata,
  { metadata, io }: LoadedTable,
  { signal, log }: EngineContext,
): Promise<number> {
  const kept = new Set((metadata.snapshots ?? []).map((snapshot) => snapshot['snapshot-id']));
  const expired = (base.snapshots ?? []).filter((snapshot) => !kept.has(snapshot['snapshot-id']));
  const gone = await filesOnlyOf(expired, metadata.snapshots ?? [], io, signal);
  const named = new Set(statisticsFiles(metadata));
  const statistics = statisticsFiles(base).filter((path) => !named.has(path));
  const files = [...gone, ...statistics];
  // No snapshot has them: what cannot be deleted now is found with the files that no commit refers to.
  const deleted = await inParallel(files, async (uri) => {
    signal.throwIfAborted();
    return io.delete(uri).then(
      () => true,
      () => false,
    );
  });
  const left = deleted.filter((done) => !done).length;
  if (left > 0) log('warn', `${left} files of expired snapshots could not be deleted`);
  return deleted.length - left;
}

/** Data files first, then manifests, then their lists: what is left of an expired snapshot still tells what it had. */
async function filesOnlyOf(
  expired: readonly Snapshot[],
  kept: readonly Snapshot[],
  io: FileIo,
  signal: AbortSignal,
): Promise<string[]> {
  if (expired.length === 0) return [];
  const keptManifests = await manifestsOf(kept, io, signal);
  const manifests = [...(await manifestsOf(expired, io, signal)).values()].filter(
    ({ path }) => !keptManifests.has(path),
  );
  const data = new Set<string>();
  await forLiveFiles(manifests, io, signal, (entries) => {
    for (const { file } of entries) data.add(file.path);
  });
  await forLiveFiles(keptManifests.values(), io, signal, (entries) => {
    for (const { file } of entries) data.delete(file.path);
  });
  const lists = new Set(expired.map((snapshot) => snapshot['manifest-list']));
  for (const snapshot of kept) lists.delete(snapshot['manifest-list']);
  return [...data, ...manifests.map(({ path }) => path), ...lists];
}
