/**
 * The files that a snapshot consists of: Iceberg spec, "Scan Planning", with what entries inherit from their manifest
 * ("Sequence Number Inheritance").
 */
import { EngineError } from '../../errors.ts';
import { ENTRY_DELETED, type ManifestEntry } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { decodeManifest } from './manifest.ts';
import { decodeManifestList, type ManifestFile } from './manifest-file.ts';
import { bindSpec, type BoundPartitionField } from './partition-spec.ts';
import { currentSchema, currentSnapshot, defaultSpec, type TableMetadata } from './table-metadata.ts';

export interface Manifest {
  file: ManifestFile;
  /** Live ones only, nothing inherited left out. */
  entries: ManifestEntry[];
}

/** The manifests of the current snapshot that still have live files. */
export async function currentManifests(metadata: TableMetadata, io: FileIo): Promise<ManifestFile[]> {
  const snapshot = currentSnapshot(metadata);
  if (snapshot === undefined) return [];
  const manifests = decodeManifestList(await io.read(snapshot['manifest-list']));
  return manifests.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
}

/** @throws EngineError `UnsupportedError` for a table whose files this writer cannot replace one by one */
export function refuseToReplace(metadata: TableMetadata, manifests: readonly ManifestFile[]): void {
  if (metadata['partition-specs'].length > 1) {
    throw new EngineError('UnsupportedError', 'the table has several partition specs; only append is supported on it');
  }
  if (manifests.some((manifest) => manifest.content !== 0)) {
    throw new EngineError(
      'UnsupportedError',
      'the table has delete files; only append is supported on it until they are compacted away',
    );
  }
}

/**
 * Reads manifests, each once however often a commit is tried again: they never change.
 */
export class ManifestReader {
  readonly #io: FileIo;
  readonly #read = new Map<string, Promise<ManifestEntry[]>>();

  constructor(io: FileIo) {
    this.#io = io;
  }

  /** All live data files of the current snapshot, of a table that passed {@link refuseToReplace}. */
  async liveDataFiles(metadata: TableMetadata, manifests: readonly ManifestFile[]): Promise<Manifest[]> {
    const fields = bindSpec(defaultSpec(metadata), currentSchema(metadata));
    return inParallel(manifests, async (file) => ({ file, entries: await this.#entries(file, fields) }));
  }

  #entries(manifest: ManifestFile, fields: readonly BoundPartitionField[]): Promise<ManifestEntry[]> {
    const known = this.#read.get(manifest.path);
    if (known !== undefined) return known;
    const reading = this.#io.read(manifest.path).then((bytes) => inherit(decodeManifest(bytes, fields), manifest));
    this.#read.set(manifest.path, reading);
    return reading;
  }
}

function inherit(entries: readonly ManifestEntry[], manifest: ManifestFile): ManifestEntry[] {
  return entries
    .filter((entry) => entry.status !== ENTRY_DELETED)
    .map((entry) => ({
      ...entry,
      snapshotId: entry.snapshotId ?? manifest.addedSnapshotId,
      sequenceNumber: entry.sequenceNumber ?? manifest.sequenceNumber,
      fileSequenceNumber: entry.fileSequenceNumber ?? manifest.sequenceNumber,
    }));
}
