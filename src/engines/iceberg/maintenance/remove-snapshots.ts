import { CommitConflict } from '../catalog.ts';
import type { TableMetadata } from '../table-metadata.ts';

/**
 * Metadata without some snapshots, as the update `remove-snapshots` of the REST specification leaves it: their
 * statistics go with them, and history begins after the last of them (Iceberg spec, "Table Metadata Fields",
 * `snapshot-log`).
 *
 * @throws CommitConflict when a branch or tag points to one of them: somebody wants it
 */
export function removeSnapshots(metadata: TableMetadata, gone: ReadonlySet<bigint>): TableMetadata {
  const wanted = Object.entries(metadata.refs ?? {}).find(([, ref]) => gone.has(ref['snapshot-id']));
  if (wanted !== undefined) throw new CommitConflict(`${wanted[0]} points to a snapshot that was to be removed`);
  const log = metadata['snapshot-log'] ?? [];
  const lastGone = log.findLastIndex((entry) => gone.has(entry['snapshot-id']));
  const changed: TableMetadata = {
    ...metadata,
    snapshots: (metadata.snapshots ?? []).filter((snapshot) => !gone.has(snapshot['snapshot-id'])),
    'snapshot-log': log.slice(lastGone + 1),
  };
  for (const key of ['statistics', 'partition-statistics'] as const) {
    const files = metadata[key];
    if (files !== undefined) changed[key] = files.filter((file) => !gone.has(snapshotOf(file)));
  }
  return changed;
}

/** Spec, "Table Statistics" and "Partition Statistics": each file names its snapshot. */
function snapshotOf(file: unknown): bigint {
  return (file as { 'snapshot-id': bigint })['snapshot-id'];
}
