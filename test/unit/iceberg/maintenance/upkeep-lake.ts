/** The lake of the other tests, with what maintenance does to its tables. */
import { randomUUID } from 'node:crypto';
import { readdir, stat, utimes } from 'node:fs/promises';
import { parseTableIdentifier, type IcebergCatalog } from '../../../../src/engines/iceberg/catalog.ts';
import { compactTable, type CompactionResult } from '../../../../src/engines/iceberg/maintenance/compact-table.ts';
import { expireSnapshots, type ExpiryResult } from '../../../../src/engines/iceberg/maintenance/expire-snapshots.ts';
import {
  removeOrphanFiles,
  type OrphanResult,
} from '../../../../src/engines/iceberg/maintenance/remove-orphan-files.ts';
import type { Retention } from '../../../../src/engines/iceberg/maintenance/snapshots-to-expire.ts';
import { LocalFileIo } from '../../../../src/engines/iceberg/local-file-io.ts';
import { dataFilesOf } from '../../../../src/engines/iceberg/read-snapshot.ts';
import type { Snapshot } from '../../../../src/engines/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../../../src/engines/iceberg/table-changes.ts';
import { Lake } from '../lake.ts';

export const DAY_MS = 86_400_000;

const context = () => ({ signal: AbortSignal.timeout(60_000), log: () => undefined, progress: () => undefined });

export class Upkeep {
  readonly lake: Lake;

  static async open(): Promise<Upkeep> {
    return new Upkeep(await Lake.open());
  }

  private constructor(lake: Lake) {
    this.lake = lake;
  }

  /** One file for each call. */
  async append(table: string, ...ids: number[]): Promise<void> {
    await this.lake.load(table, `SELECT unnest([${ids.join(', ')}])::INTEGER AS id`);
  }

  compact(
    table: string,
    options: { maintenanceId?: string; targetFileSizeBytes?: number; minInputFiles?: number } = {},
    catalog: IcebergCatalog = this.lake.catalog,
  ): Promise<CompactionResult> {
    const sizes = { targetFileSizeBytes: 1 << 29, minInputFiles: 2 };
    const request = { table, maintenanceId: randomUUID(), ...sizes, ...options };
    return compactTable(request, { catalog, duckdb: this.lake.duckdb }, context());
  }

  expire(
    table: string,
    retention: Retention & { maintenanceId?: string } = {},
    catalog: IcebergCatalog = this.lake.catalog,
  ): Promise<ExpiryResult> {
    return expireSnapshots({ table, maintenanceId: randomUUID(), ...retention }, { catalog }, context());
  }

  removeOrphans(table: string, catalog: IcebergCatalog = this.lake.catalog): Promise<OrphanResult> {
    return removeOrphanFiles({ table, olderThanMs: 3 * DAY_MS }, { catalog }, context());
  }

  /** The lake's catalog with something that happens around its commits. */
  around(
    commit: (inner: () => ReturnType<IcebergCatalog['commitTable']>) => ReturnType<IcebergCatalog['commitTable']>,
  ): IcebergCatalog {
    const { catalog } = this.lake;
    return {
      loadTable: (identifier) => catalog.loadTable(identifier),
      stageTable: (identifier, table) => catalog.stageTable(identifier, table),
      commitTable: (identifier, requirements, updates) =>
        commit(() => catalog.commitTable(identifier, requirements, updates)),
      foldersOfOthers: (identifier) => catalog.foldersOfOthers(identifier),
      close: () => Promise.resolve(),
    };
  }

  change(table: string, ...updates: TableUpdate[]): ReturnType<IcebergCatalog['commitTable']> {
    return this.lake.catalog.commitTable(parseTableIdentifier(table), [], updates);
  }

  /** In order, with every doublet. */
  async ids(table: string): Promise<number[]> {
    const rows = await this.lake.query(table, 'SELECT id::INTEGER AS id FROM live ORDER BY id');
    return rows.map((row) => row['id'] as number);
  }

  /** The same of any snapshot, by which the table is read as it was. */
  async idsOf(snapshot: Snapshot): Promise<number[]> {
    const files = await dataFilesOf(snapshot, new LocalFileIo());
    if (files.length === 0) return [];
    const paths = files.map((file) => `'${file.path.replace('file://', '')}'`).join(', ');
    const rows = await this.lake.rows(`SELECT id::INTEGER AS id FROM read_parquet([${paths}]) ORDER BY id`);
    return rows.map((row) => row['id'] as number);
  }

  async snapshotIds(table: string): Promise<bigint[]> {
    return ((await this.lake.metadata(table)).snapshots ?? []).map((snapshot) => snapshot['snapshot-id']);
  }

  /** As if all that lies in the warehouse had been written so long ago. */
  async age(days: number): Promise<void> {
    for (const path of await this.paths()) {
      const at = new Date((await stat(path)).mtimeMs - days * DAY_MS);
      await utimes(path, at, at);
    }
  }

  /** Absolute, of all files below the warehouse. */
  async paths(): Promise<string[]> {
    const entries = await readdir(`${this.lake.folder}/warehouse`, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => `${entry.parentPath}/${entry.name}`).sort();
  }

  close(): Promise<void> {
    return this.lake.close();
  }
}
