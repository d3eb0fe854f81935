import { currentSnapshot, type TableMetadata } from '../../iceberg/table-metadata.ts';

/** As the current snapshot's summary has it, less the rows that delete files name by position. */
export function countRows(metadata: TableMetadata): number {
  const summary = currentSnapshot(metadata)?.summary;
  return Math.max(0, Number(summary?.['total-records'] ?? 0) - Number(summary?.['total-position-deletes'] ?? 0));
}
