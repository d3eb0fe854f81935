/**
 * Deletes files below a table's location that no commit refers to: what killed writers left, what expired snapshots left,
 * metadata files that the table's log has forgotten. What is there is listed before the metadata is read, so that whatever was
 * committed meanwhile is known; what is younger than three days is left alone, since its commit may be under way.
 */
import { gunzipSync } from 'node:zlib';
import { EngineError } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import { type IcebergCatalog, type LoadedTable, parseTableIdentifier } from '../catalog.ts';
import type { ListedFile } from '../file-io.ts';
import { inParallel } from '../in-parallel.ts';
import { canonicalPath } from './canonical-path.ts';
import { requireTable } from './commit-named.ts';
import { refuseWithoutGc } from './expire-snapshots.ts';
import { forLiveFiles, manifestsOf, statisticsFiles } from './file-references.ts';
import { findOrphans, isMetadataFile } from './find-orphans.ts';

export interface OrphanRequest {
  table: string;
  /** Three days at least. */
  olderThanMs: number;
  /** What ages are counted to. */
  nowMs?: number;
}

export interface OrphanResult {
  deletedFiles: number;
  deletedBytes: number;
  /** Why nothing was deleted, when it could not be told what is safe to. */
  unsure?: string;
}

const LEAST_ORPHAN_AGE_MS = 3 * 86_400_000;
/** Their paths are held in memory. */
const MAX_FILES = 5_000_000;
/** Of metadata files that nothing refers to, the newest: another table in the folder would have one among them. */
const LOOKED_AT_METADATA_FILES = 200;

/** @throws EngineError `UnsupportedError` for a table that forbids it (`gc.enabled`) or is too large */
export async function removeOrphanFiles(
  { table: name, olderThanMs, nowMs = Date.now() }: OrphanRequest,
  { catalog }: { catalog: IcebergCatalog },
  context: EngineContext,
): Promise<OrphanResult> {
  if (olderThanMs < LEAST_ORPHAN_AGE_MS) throw new TypeError('files of commits under way would be taken for orphans');
  const { signal, log } = context;
  const identifier = parseTableIdentifier(name);
  const before = await requireTable(catalog, identifier);
  refuseWithoutGc(before.metadata);
  const files = await listed(before, signal);
  const others = (await catalog.foldersOfOthers?.(identifier)) ?? [];
  const table = await requireTable(catalog, identifier);
  const nothing = (unsure: string): OrphanResult => {
    log('warn', `no file is removed: ${unsure}`);
    return { deletedFiles: 0, deletedBytes: 0, unsure };
  };
  if (table.metadata.location !== before.metadata.location) return nothing('the table is being moved');
  if (table.metadataLocation === undefined) return nothing('the catalog does not tell the metadata file of the table');
  const referenced = await referencedFiles(table, signal);
  const found = findOrphans({
    location: table.metadata.location,
    files,
    referenced,
    others,
    olderThanMs,
    nowMs,
  });
  if ('unsure' in found) return nothing(found.unsure);
  const other = await metadataOfAnotherTable(table, files, referenced);
  if (other !== undefined) return nothing(`${other} is a metadata file of another table`);
  return deleteAll(found.files, table, context);
}

async function deleteAll(
  orphans: readonly ListedFile[],
  { io }: LoadedTable,
  { signal, log }: EngineContext,
): Promise<OrphanResult> {
  const deleted = await inParallel(orphans, async ({ uri, sizeBytes }) => {
    signal.throwIfAborted();
    return io.delete(uri).then(
      () => sizeBytes,
      () => undefined,
    );
  });
  const sizes = deleted.filter((size) => size !== undefined);
  if (sizes.length < orphans.length) log('warn', `${orphans.length - sizes.length} files could not be deleted`);
  return { deletedFiles: sizes.length, deletedBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

async function listed({ metadata, io }: LoadedTable, signal: AbortSignal): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of io.list(metadata.location, signal)) {
    files.push(file);
    if (files.length > MAX_FILES) {
      throw new EngineError(
        'UnsupportedError',
        `the table has more than ${MAX_FILES} files; remove orphans with Spark`,
      );
    }
  }
  return files;
}

/** In the forms in which the metadata has them. */
async function referencedFiles(
  { metadata, io, metadataLocation }: LoadedTable,
  signal: AbortSignal,
): Promise<Set<string>> {
  const snapshots = metadata.snapshots ?? [];
  const manifests = await manifestsOf(snapshots, io, signal);
  const named = new Set<string>([
    ...(metadataLocation === undefined ? [] : [metadataLocation]),
    ...(metadata['metadata-log'] ?? []).map((entry) => entry['metadata-file']),
    ...snapshots.map((snapshot) => snapshot['manifest-list']),
    ...statisticsFiles(metadata),
    ...manifests.keys(),
  ]);
  await forLiveFiles(manifests.values(), io, signal, (entries) => {
    for (const { file } of entries) named.add(file.path);
  });
  return named;
}

/** The path of a metadata file with another table's uuid: two tables share the folder, whatever a catalog says. */
async function metadataOfAnotherTable(
  { metadata, io }: LoadedTable,
  files: readonly ListedFile[],
  referenced: ReadonlySet<string>,
): Promise<string | undefined> {
  const named = new Set([...referenced].map(canonicalPath));
  const own = `${canonicalPath(metadata.location)}/metadata/`;
  const unknown = files
    .filter(({ uri }) => isMetadataFile(uri) && canonicalPath(uri).startsWith(own) && !named.has(canonicalPath(uri)))
    .toSorted((one, other) => other.modifiedMs - one.modifiedMs)
    .slice(0, LOOKED_AT_METADATA_FILES);
  const foreign = await inParallel(unknown, async ({ uri }) => {
    const uuid = await io.read(uri).then(uuidIn, () => undefined);
    return uuid === undefined || uuid === metadata['table-uuid'] ? undefined : uri;
  });
  return foreign.find((uri) => uri !== undefined);
}

/** Undefined for what a killed writer left of one. */
function uuidIn(bytes: Buffer): unknown {
  try {
    const text = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
    return (JSON.parse(text.toString()) as Record<string, unknown>)['table-uuid'];
  } catch {
    return undefined;
  }
}
