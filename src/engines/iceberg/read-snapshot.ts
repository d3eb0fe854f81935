/** What one snapshot of a table consists of, for those who read it: Iceberg spec, "Scan Planning". */
import { EngineError } from '../../errors.ts';
import { ENTRY_DELETED, type DataFile } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { decodeManifest } from './manifest.ts';
import { decodeManifestList } from './manifest-file.ts';
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
  const manifests = decodeManifestList(await readOrSay(io, snapshot['manifest-list']));
  const live = manifests.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
  if (live.some((manifest) => manifest.content !== 0)) {
    throw new EngineError(
      'UnsupportedError',
      'the table has delete files (its rows are deleted "merge-on-read"), which are not read; compact it first',
    );
  }
  const files = await inParallel(live, async ({ path, specId }) => {
    // Partition values are not needed, so neither are the specs.
    const entries = decodeManifest(await readOrSay(io, path), { specId, fields: [] });
    return entries.filter((entry) => entry.status !== ENTRY_DELETED).map((entry) => entry.file);
  });
  const other = files.flat().find((file) => file.format !== 'PARQUET');
  if (other !== undefined) throw new EngineError('UnsupportedError', `${other.format} data files are not read`);
  return files.flat();
}

async function readOrSay(io: FileIo, uri: string): Promise<Buffer> {
  return io.read(uri).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const message = `the file ${uri.slice(uri.lastIndexOf('/') + 1)} of the table is gone; did its snapshot expire?`;
    throw new EngineError('UnavailableError', message);
  });
}
