/** Migrations of one Iceberg table, and a catalog in which the commits of one go wrong. */
import type { IcebergCatalog, LoadedTable } from '../../../src/engines/iceberg/catalog.ts';
import type { TableMigration } from '../../../src/engines/migrations/table-migrator.ts';
import { type IcebergTarget, migrationDocument } from '../../../src/schemas/migration.ts';

export function migrationOf(table: string, changes: unknown[], name: string): TableMigration<IcebergTarget> {
  const document = migrationDocument.parse({ name: 'm', targets: [{ type: 'iceberg', table, changes }] });
  return {
    name,
    target: document.targets[0] as IcebergTarget,
    signal: AbortSignal.timeout(60_000),
    log: () => undefined,
  };
}

/** A catalog in which a commit's answer is lost, or the commit itself is held. */
export function meddled(
  catalog: IcebergCatalog,
  commit: (send: () => Promise<LoadedTable>) => Promise<LoadedTable>,
): IcebergCatalog {
  return {
    loadTable: (identifier) => catalog.loadTable(identifier),
    stageTable: (identifier, table) => catalog.stageTable(identifier, table),
    commitTable: (...given) => commit(() => catalog.commitTable(...given)),
    close: () => Promise.resolve(),
  };
}
