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
import { partitionShape } from './partition-shapes.ts';
import { currentSnapshot, type TableMetadata } from './table-metadata.ts';

export interface Manifest {
  file: ManifestFile;
  /** Live ones only, nothing inherited left out. */
  entries: readonly ManifestEntry[];
}

/** The manifests of the current snapshot that still have live files. */
export async function currentManifests(metadata: TableMetadata, io: FileIo): Promise<ManifestFile[]> {
  const snapshot = currentSnapshot(metadata);
  if (snapshot === undefined) return [];
  const manifests = decodeManifestList(await io.read(snapshot['manifest-list']));
  return manifests.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
}

/** @throws EngineError `UnsupportedError` for a table whose files this writer cannot replace one by one */
export function refuseToReplace(manifests: readonly ManifestFile[]): void {
  if (manifests.some((manifest) => manifest.content !== 0)) {
    throw new EngineError(
      'UnsupportedError',
      'the table has delete files; only append is supported on it until they are compacted away',
    );
  }
}

/** Entries that a reader keeps, of all tables together: a hundred megabytes or so. */
const MAX_KEPT_ENTRIES = 10_000;

/** Reads manifests, which never change: the last ones that were read are not read again. */
export class ManifestReader {
  readonly #io: FileIo;
  /** By path, the one that was asked for last at the end. */
  readonly #kept = new Map<string, { entries: Promise<readonly ManifestEntry[]>; count: number }>();
  #keptCount = 0;
  #list: { path: string | undefined; manifests: Promise<readonly ManifestFile[]> } | undefined;

  constructor(io: FileIo) {
    this.#io = io;
  }

  /** {@link currentManifests}, read once for a snapshot. */
  currentManifests(metadata: TableMetadata): Promise<readonly ManifestFile[]> {
    const path = currentSnapshot(metadata)?.['manifest-list'];
    if (this.#list !== undefined && this.#list.path === path) return this.#list.manifests;
    const list = { path, manifests: currentManifests(metadata, this.#io) };
    this.#list = list;
    list.manifests.catch(() => {
      if (this.#list === list) this.#list = undefined;
    });
    return list.manifests;
  }

  /** The live data files of manifests that passed {@link refuseToReplace}, whatever specs they are of. */
  async liveDataFiles(metadata: TableMetadata, manifests: readonly ManifestFile[]): Promise<Manifest[]> {
    return inParallel(manifests, async (file) => ({ file, entries: await this.#entries(metadata, file) }));
  }

  #entries(metadata: TableMetadata, manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
    const { path, specId } = manifest;
    const known = this.#kept.get(path);
    this.#forget(path);
    const entries = known?.entries ?? this.#read(manifest, partitionShape(metadata, specId).fields);
    const count = manifest.addedFiles + manifest.existingFiles;
    this.#kept.set(path, { entries, count });
    this.#keptCount += count;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptCount <= MAX_KEPT_ENTRIES || oldest === path) break;
      this.#forget(oldest);
    }
    entries.catch(() => {
      this.#forget(path);
    });
    return entries;
  }

  #forget(path: string): void {
    const known = this.#kept.get(path);
    if (known === undefined) return;
    this.#kept.delete(path);
    this.#keptCount -= known.count;
  }

  async #read(
    manifest: ManifestFile,
    fields: ReturnType<typeof partitionShape>['fields'],
  ): Promise<readonly ManifestEntry[]> {
    const bytes = await this.#io.read(manifest.path);
    return inherit(decodeManifest(bytes, { specId: manifest.specId, fields }), manifest);
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
