import type { DataFile } from './data-file.ts';
import type { SnapshotSummary } from './table-metadata.ts';

/**
 * The summary of a snapshot: Iceberg spec, "Optional Snapshot Summary Fields". Totals go on from the parent's; one that
 * the parent does not tell is unknown here too.
 */
export function summarize(
  parent: SnapshotSummary | undefined,
  added: readonly DataFile[],
  removed: readonly DataFile[],
): SnapshotSummary {
  const summary: SnapshotSummary = { operation: removed.length > 0 ? 'overwrite' : 'append' };
  const records = { added: sum(added, 'recordCount'), removed: sum(removed, 'recordCount') };
  const bytes = { added: sum(added, 'sizeBytes'), removed: sum(removed, 'sizeBytes') };
  const files = { added: BigInt(added.length), removed: BigInt(removed.length) };
  const told: [string, bigint][] = [
    ['added-data-files', files.added],
    ['added-records', records.added],
    ['added-files-size', bytes.added],
    ['deleted-data-files', files.removed],
    ['deleted-records', records.removed],
    ['removed-files-size', bytes.removed],
    ['changed-partition-count', BigInt(new Set([...added, ...removed].map(partitionText)).size)],
  ];
  for (const [key, value] of told) if (value > 0n) summary[key] = String(value);
  const changes: Record<string, bigint> = {
    'total-records': records.added - records.removed,
    'total-files-size': bytes.added - bytes.removed,
    'total-data-files': files.added - files.removed,
    'total-delete-files': 0n,
    'total-position-deletes': 0n,
    'total-equality-deletes': 0n,
  };
  for (const [key, change] of Object.entries(changes)) {
    const before = parent === undefined ? '0' : parent[key];
    if (before !== undefined) summary[key] = String(BigInt(before) + change);
  }
  return summary;
}

/** A text that two files share exactly if they are of one partition of one spec. */
export function partitionText(file: Pick<DataFile, 'specId' | 'partition'>): string {
  const parts = file.partition.map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : String(value)));
  return JSON.stringify([file.specId, ...parts.map((part, at) => (file.partition[at] === null ? null : part))]);
}

function sum(files: readonly DataFile[], key: 'recordCount' | 'sizeBytes'): bigint {
  return files.reduce((total, file) => total + file[key], 0n);
}
