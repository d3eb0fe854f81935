/** What the service does for the upkeep of a table of a {@link Lakehouse}, step by step. */
import { randomUUID } from 'node:crypto';
import type { EngineContext } from '../../src/engines/dataset.ts';
import { compactTable } from '../../src/engines/iceberg/maintenance/compact-table.ts';
import { expireSnapshots } from '../../src/engines/iceberg/maintenance/expire-snapshots.ts';
import { removeOrphanFiles } from '../../src/engines/iceberg/maintenance/remove-orphan-files.ts';
import type { Lakehouse } from './lakehouse.ts';

const DAY_MS = 86_400_000;

export function upkeepOf(lakehouse: Lakehouse, table: string) {
  const { catalog, duckdb } = lakehouse;
  const context = (): EngineContext => ({
    signal: AbortSignal.timeout(60_000),
    log: () => undefined,
    progress: () => undefined,
  });
  const sizes = { targetFileSizeBytes: 1 << 29, minInputFiles: 2 };
  return {
    compact: (maintenanceId: string = randomUUID()) =>
      compactTable({ table, maintenanceId, ...sizes }, { catalog, duckdb }, context()),
    expire: (maintenanceId: string = randomUUID()) =>
      expireSnapshots({ table, maintenanceId, olderThanMs: -1 }, { catalog }, context()),
    /** As if it were so many days later. */
    removeOrphans: (daysLater: number) =>
      removeOrphanFiles(
        { table, olderThanMs: 3 * DAY_MS, nowMs: Date.now() + daysLater * DAY_MS },
        { catalog },
        context(),
      ),
  };
}
