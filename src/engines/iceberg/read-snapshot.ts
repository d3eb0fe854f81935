/** What one snapshot of a table consists of, for those who read it: Iceberg spec, "Scan Planning". */
import { EngineError } from '../../errors.ts';
import { ENTRY_DELETED, type DataFile } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { decodeManifest } from './manifest.ts';
import { decodeManifestList, type ManifestFile } from './manifest-file.ts';
import type { Schema } from './schema.ts';
import { currentSchema, currentSnapshot, type Snapshot, type TableMetadata } from './table-metadata.ts';

export interface SnapshotToRead {
  /** Undefined: the table has had no rows yet. */
  snapshot: Snapshot | undefined;
  /** The table's own for the current snapshot, else the one that the snapshot was made under. */
  schema: Schema;
}

/**
 * @param snapshotId in digits; the current snapshot when left out
 * @throws EngineError `ValidationError` for a snapshot that the table does not have
 */
export function snapshotToRead(metadata: TableMetadata, snapshotId: string | undefined): SnapshotToRead {
  if (snapshotId === undefined) return { snapshot: currentSnapshot(metadata), schema: currentSchema(metadata) };
  const snapshot = metadata.snapshots?.find((candidate) => candidate['snapshot-id'] === BigInt(snapshotId));
  if (snapshot === undefined) {
    throw new EngineError('ValidationError', `the table has no snapshot ${snapshotId} (any more)`);
  }
  const schema = metadata.schemas.find((candidate) => candidate['schema-id'] === snapshot['schema-id']);
  return { snapshot, schema: schema ?? currentSchema(metadata) };
}

/**
 * The data files that are live in a snapshot, whatever they are partitioned by.
 *
 * @throws EngineError `UnsupportedError` when rows in them are deleted by delete files, or they are not Parquet;
 *   `UnavailableError` when a manifest is gone, as after the snapshot expired
 */
export async function dataFilesOf(snapshot: Snapshot, io: FileIo): Promise<DataFile[]> {
  const { data, deletes } = await liveManifestsOf(snapshot, io);
  if (deletes.length > 0) {
    throw new EngineError(
      'UnsupportedError',
      'the table has delete files (its rows are deleted "merge-on-read"), which are not read; compact it first',
    );
  }
  const files = await filesIn(data, io);
  const other = files.find((file) => file.format !== 'PARQUET');
  if (other !== undefined) throw new EngineError('UnsupportedError', `${other.format} data files are not read`);
  return files;
}

/** @throws EngineError `UnavailableError` when the manifest list is gone */
export async function liveManifestsOf(
  snapshot: Snapshot,
  io: FileIo,
): Promise<{ data: ManifestFile[]; deletes: ManifestFile[] }> {
  const manifests = decodeManifestList(await readOrSay(io, snapshot['manifest-list']));
  const live = manifests.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
  return { data: live.filter(({ content }) => content === 0), deletes: live.filter(({ content }) => content !== 0) };
}

/**
 * The live files of manifests, data files or delete files; without their partition values.
 *
 * @throws EngineError `UnavailableError` when a manifest is gone
 */
export async function filesIn(manifests: readonly ManifestFile[], io: FileIo): Promise<DataFile[]> {
  const files = await inParallel(manifests, async ({ path, specId }) => {
    // Partition values are not needed, so neither are the specs.
    const entries = decodeManifest(await readOrSay(io, path), { specId, fields: [] });
    return entries.filter((entry) => entry.status !== ENTRY_DELETED).map((entry) => entry.file);
  });
  return files.flat();
}

async function readOrSay(io: FileIo, uri: string): Promise<Buffer> {
  return io.read(uri).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const message = `the file ${uri.slice(uri.lastIndexOf('/') + 1)} of the table is gone; did its snapshot expire?`;
    throw new EngineError('UnavailableError', message);
  });
}
