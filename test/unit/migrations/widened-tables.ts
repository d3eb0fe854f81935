/** Tables of which a migration widened columns, and what there is to be looked at once it was put back. */
import { utimes } from 'node:fs/promises';
import { expect } from 'vitest';
import { type IcebergCatalog, type LoadedTable, parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import type { DataFile } from '../../../src/engines/iceberg/data-file.ts';
import { removeOrphanFiles } from '../../../src/engines/iceberg/maintenance/remove-orphan-files.ts';
import { encodeManifestList, type ManifestFile } from '../../../src/engines/iceberg/manifest-file.ts';
import { currentSchema, type TableMetadata } from '../../../src/engines/iceberg/table-metadata.ts';
import { writeSnapshot } from '../../../src/engines/iceberg/write-snapshot.ts';
import { createIcebergMigrator } from '../../../src/engines/migrations/iceberg-migrator.ts';
import type { RestoredTable } from '../../../src/engines/migrations/table-migrator.ts';
import type { Lake, LoadOptions } from '../iceberg/lake.ts';
import { migrationOf } from './iceberg-migration.ts';

export const ROWS = `SELECT i::INTEGER AS k, (i % 3)::INTEGER AS part, 'note ' || i AS note, i::FLOAT AS f,
  DATE '2024-01-01' + i::INTEGER AS d, (i / 4)::DECIMAL(9, 2) AS price, 'gone ' || i AS gone FROM range(6) AS r(i)`;

export const WIDER: readonly unknown[] = [
  { op: 'retype_column', column: 'k', type: 'long' },
  { op: 'retype_column', column: 'f', type: 'double' },
  { op: 'retype_column', column: 'price', type: 'decimal(12, 2)' },
];

/** What {@link WidenedTable.stored} answers of a table as it was. */
export const NARROW = [
  { id: 1, type: 'INT32', precision: null },
  { id: 4, type: 'FLOAT', precision: null },
  { id: 6, type: 'INT32', precision: 9 },
];

let count = 0;

/** Its migration is applied and may be put back. */
export class WidenedTable {
  readonly lake: Lake;
  readonly name: string;
  readonly before: TableMetadata;
  /** The key of what the migration notes in the table. */
  readonly marker: string;
  readonly restore: (catalog?: IcebergCatalog, signal?: AbortSignal) => Promise<RestoredTable>;

  static async make(
    lake: Lake,
    { changes = WIDER, partitionBy = ['part'] }: { changes?: readonly unknown[]; partitionBy?: string[] } = {},
  ): Promise<WidenedTable> {
    count += 1;
    const name = `ns.t${count}`;
    await lake.load(name, ROWS, { partitionBy });
    const before = await lake.metadata(name);
    const run = migrationOf(name, [...changes], `m${count}.1/0`);
    const backup = await createIcebergMigrator(lake).backUp(run);
    await createIcebergMigrator(lake).apply(run, backup);
    const restore = (catalog: IcebergCatalog = lake.catalog, signal = run.signal) =>
      createIcebergMigrator({ catalog, duckdb: lake.duckdb }).restore({ ...run, signal }, backup);
    return new WidenedTable(lake, { name, before, marker: `pipeline.migration.${run.name}`, restore });
  }

  private constructor(lake: Lake, parts: Pick<WidenedTable, 'name' | 'before' | 'marker' | 'restore'>) {
    this.lake = lake;
    this.name = parts.name;
    this.before = parts.before;
    this.marker = parts.marker;
    this.restore = parts.restore;
  }

  /** One row with this key, which is stored as a long. */
  async add(key: number, options: LoadOptions = {}): Promise<void> {
    await this.lake.load(this.name, `SELECT ${key}::BIGINT AS k, 1::INTEGER AS part`, options);
  }

  async keys(): Promise<string[]> {
    const rows = await this.lake.query(this.name, 'SELECT live.k::VARCHAR AS key FROM live ORDER BY live.k');
    return rows.map(({ key }) => key as string);
  }

  metadata(): Promise<TableMetadata> {
    return this.lake.metadata(this.name);
  }

  files(): Promise<DataFile[]> {
    return this.lake.files(this.name);
  }

  /** How the live files store the columns that {@link WIDER} retypes. */
  async stored(): Promise<unknown> {
    const paths = (await this.files()).map(({ path }) => `'${path.replace('file://', '')}'`).join(', ');
    return this.lake.rows(
      `SELECT DISTINCT field_id::INTEGER AS id, type, precision::INTEGER AS precision FROM parquet_schema([${paths}])
        WHERE field_id IN (1, 4, 6) ORDER BY id`,
    );
  }

  /** Files in the table's folder that no snapshot names; they are gone then. */
  async orphans(): Promise<number> {
    const { metadata, io } = await this.loaded();
    const weekAgo = new Date(Date.now() - 7 * 24 * 3_600_000);
    for await (const { uri } of io.list(metadata.location)) await utimes(uri.replace('file://', ''), weekAgo, weekAgo);
    const context = { signal: AbortSignal.timeout(60_000), log: () => undefined, progress: () => undefined };
    const answer = await removeOrphanFiles({ table: this.name, olderThanMs: 3 * 24 * 3_600_000 }, this.lake, context);
    expect(answer).not.toHaveProperty('unsure');
    return answer.deletedFiles;
  }

  async loaded(): Promise<LoadedTable> {
    const found = await this.lake.catalog.loadTable(parseTableIdentifier(this.name));
    if (found === undefined) throw new Error('no table');
    return found;
  }

  /** As a writer of another kind does: files that this one would not write, manifests of delete files. */
  async addFiles(added: readonly DataFile[], more: readonly ManifestFile[] = []): Promise<void> {
    const table = await this.loaded();
    const reader = table.manifests;
    const kept = await reader.currentManifests(table.metadata);
    const change = { added, removed: new Set<string>(), rewritten: [], kept };
    const plan = { table, schema: currentSchema(table.metadata) };
    const snapshot = await writeSnapshot({ plan, change, summary: {}, reader, written: [] });
    const id = snapshot['snapshot-id'];
    if (more.length > 0) {
      const at = { id, parentId: undefined, sequenceNumber: snapshot['sequence-number'] };
      snapshot['manifest-list'] = `${snapshot['manifest-list']}.more.avro`;
      await table.io.write(snapshot['manifest-list'], encodeManifestList([...kept, ...more], at));
    }
    await this.lake.catalog.commitTable(
      parseTableIdentifier(this.name),
      [],
      [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ],
    );
  }
}
