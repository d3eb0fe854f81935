/** Which manifests lose which files when a snapshot replaces some: Iceberg spec, "Snapshots" (operation overwrite). */
import type { DataFile } from './data-file.ts';
import type { Manifest } from './live-files.ts';
import { partitionText } from './snapshot-summary.ts';
import type { SnapshotChange } from './write-snapshot.ts';

export interface Replaced {
  removed: readonly DataFile[];
  added: readonly DataFile[];
}

/** @param choose told all live files, says which of them go and what comes */
export async function replaceFiles(
  manifests: readonly Manifest[],
  choose: (live: DataFile[]) => Promise<Replaced> | Replaced,
): Promise<Omit<SnapshotChange, 'summary'>> {
  const live = manifests.flatMap((manifest) => manifest.entries.map((entry) => entry.file));
  const chosen = await choose(live);
  const removed = new Set(chosen.removed.map((file) => file.path));
  const touched = (manifest: Manifest) => manifest.entries.some((entry) => removed.has(entry.file.path));
  return {
    added: chosen.added,
    removed,
    rewritten: manifests.filter(touched),
    kept: manifests.filter((manifest) => !touched(manifest)).map((manifest) => manifest.file),
  };
}

/** The files of all partitions that the new files are in; of an unpartitioned table, all. */
export function replacePartitions(live: readonly DataFile[], added: readonly DataFile[]): Replaced {
  const partitions = new Set(added.map(partitionText));
  return { removed: live.filter((file) => partitions.has(partitionText(file))), added };
}
