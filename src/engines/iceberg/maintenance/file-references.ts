/** What files a table's metadata names: Iceberg spec, "Scan Planning", "Table Statistics". */
import { ENTRY_DELETED, type ManifestEntry } from '../data-file.ts';
import type { FileIo } from '../file-io.ts';
import { inParallel } from '../in-parallel.ts';
import { decodeManifest } from '../manifest.ts';
import { decodeManifestList, type ManifestFile } from '../manifest-file.ts';
import type { Snapshot, TableMetadata } from '../table-metadata.ts';

/** By their paths: the manifests, of data and of deletes, of all the snapshots. */
export async function manifestsOf(
  snapshots: readonly Snapshot[],
  io: FileIo,
  signal: AbortSignal,
): Promise<Map<string, ManifestFile>> {
  const found = new Map<string, ManifestFile>();
  await inParallel(snapshots, async (snapshot) => {
    signal.throwIfAborted();
    for (const manifest of decodeManifestList(await io.read(snapshot['manifest-list']))) {
      found.set(manifest.path, manifest);
    }
  });
  return found;
}

/** Of each manifest the files that are live in it, told manifest by manifest: a table may have more than memory holds. */
export async function forLiveFiles(
  manifests: Iterable<ManifestFile>,
  io: FileIo,
  signal: AbortSignal,
  tell: (entries: ManifestEntry[], manifest: ManifestFile) => void,
): Promise<void> {
  await inParallel([...manifests], async (manifest) => {
    signal.throwIfAborted();
    // Partition values are not needed, so neither are the specs.
    const entries = decodeManifest(await io.read(manifest.path), { specId: manifest.specId, fields: [] });
    tell(
      entries.filter((entry) => entry.status !== ENTRY_DELETED),
      manifest,
    );
  });
}

/** Paths of the files with statistics, of the table's and its partitions'. */
export function statisticsFiles(metadata: TableMetadata): string[] {
  return [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])].map(
    (file) => (file as { 'statistics-path': string })['statistics-path'],
  );
}
