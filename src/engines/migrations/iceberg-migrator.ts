/**
 * Migrations of Iceberg tables (spec section 2, SchemaMigrationWorkflow). All changes of a table are one commit of
 * metadata; no row is written or moved, and rows that others commit meanwhile are no conflict. Only a restore writes files
 * of theirs anew, where they hold a type that was widened. See `docs/engines/schema-migrations.md`.
 */
import { EngineError } from '../../errors.ts';
import type { IcebergTarget } from '../../schemas/migration.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { type IcebergCatalog, type LoadedTable, parseTableIdentifier } from '../iceberg/catalog.ts';
import type { TableUpdate } from '../iceberg/table-changes.ts';
import { currentSchema, currentSnapshot, type TableMetadata } from '../iceberg/table-metadata.ts';
import { writeAnchor } from './iceberg/anchor-snapshot.ts';
import { commitUntilKnown, loadOrRefuse, type NextStep } from './iceberg/commit-until-known.ts';
import { countRows } from './iceberg/count-rows.ts';
import {
  commentOf,
  findMarker,
  type Marker,
  recordMarker,
  removeTags,
  requireUnchanged,
  tagsOf,
} from './iceberg/migration-marker.ts';
import { NarrowFiles } from './iceberg/narrow-files.ts';
import { restoreStep } from './iceberg/restore-step.ts';
import { schemaById, tableColumns } from './iceberg/table-columns.ts';
import { planChanges } from './iceberg/table-plan.ts';
import type { RestoredTable, TableBackup, TableMigration, TableMigrator, ValidatedTable } from './table-migrator.ts';

type Migration = TableMigration<IcebergTarget>;

interface MigratorParts {
  catalog: IcebergCatalog;
  /** Writes files anew, in a restore. */
  duckdb: DuckDbEngine;
}

/** Schema migrations of Iceberg tables, whichever catalog they are in. */
export function createIcebergMigrator(parts: MigratorParts): TableMigrator<IcebergTarget> {
  return new IcebergMigrator(parts);
}

class IcebergMigrator implements TableMigrator<IcebergTarget> {
  readonly #catalog: IcebergCatalog;
  readonly #duckdb: DuckDbEngine;

  constructor({ catalog, duckdb }: MigratorParts) {
    this.#catalog = catalog;
    this.#duckdb = duckdb;
  }

  async validate({ target }: Migration): Promise<ValidatedTable> {
    const table = await loadOrRefuse(this.#catalog, parseTableIdentifier(target.table));
    const { metadata } = table;
    const { evolved } = planChanges(metadata, target.changes);
    if (target.checks.length > 0) await refuseUnreadable(table);
    const before = currentSchema(metadata);
    const respecified = evolved.spec['spec-id'] !== metadata['default-spec-id'];
    return {
      rows: countRows(metadata),
      before: tableColumns(before),
      after: tableColumns(evolved),
      touched: before.fields.filter(({ id }) => evolved.touched.has(id)).map(({ name }) => name),
      warnings: respecified ? ['files that are there keep their partitioning; only new ones follow the new one'] : [],
    };
  }

  backUp(migration: Migration): Promise<TableBackup> {
    return this.#commit(migration, async ({ metadata, io }) => {
      const { name } = migration;
      const { backup } = tagsOf(name);
      const answer: TableBackup = {
        reference: `tag ${backup}`,
        details: { uuid: metadata['table-uuid'], tag: backup },
      };
      const marker = findMarker(metadata, name);
      if (marker !== undefined) {
        if (marker.state === 'ready' || marker.state === 'applied') return { done: answer };
        throw isOver();
      }
      const current = currentSnapshot(metadata);
      const anchor = current ?? (await writeAnchor(metadata, io));
      const updates: TableUpdate[] = [
        ...(current === undefined ? [{ action: 'add-snapshot', snapshot: anchor } as const] : []),
        { action: 'set-snapshot-ref', 'ref-name': backup, type: 'tag', 'snapshot-id': anchor['snapshot-id'] },
        ...recordMarker(metadata, name, { state: 'ready', 'was-applied': false, 'at-ms': Date.now() }),
      ];
      return { requirements: requireUnchanged(metadata, name), updates, answer };
    });
  }

  apply(migration: Migration, backup: TableBackup): Promise<{ applied: true; notes: string[] }> {
    const { name, target } = migration;
    return this.#commit(migration, ({ metadata }): NextStep<{ applied: true; notes: string[] }> => {
      refuseOther(metadata, backup);
      const marker = findMarker(metadata, name);
      if (marker?.state === 'applied') return { done: { applied: true, notes: [] } };
      const tags = tagsOf(name);
      const tagged = metadata.refs?.[tags.backup];
      if (marker !== undefined && marker.state !== 'ready') throw isOver();
      if (tagged === undefined) throw conflict(`the tag ${tags.backup}, which the backup made, is gone`);
      const { after, updates } = planChanges(metadata, target.changes);
      // What a restore compares with must not expire before.
      const keep = currentSnapshot(metadata)?.['snapshot-id'] ?? tagged['snapshot-id'];
      const applied: Marker = {
        state: 'applied',
        'was-applied': true,
        'at-ms': Date.now(),
        before: {
          'schema-id': metadata['current-schema-id'],
          'spec-id': metadata['default-spec-id'],
          comment: commentOf(metadata),
          'snapshot-id': currentSnapshot(metadata)?.['snapshot-id'].toString() ?? null,
        },
        after,
      };
      return {
        requirements: requireUnchanged(metadata, name),
        updates: [
          ...updates,
          { action: 'set-snapshot-ref', 'ref-name': tags.applied, type: 'tag', 'snapshot-id': keep },
          ...recordMarker(metadata, name, applied),
        ],
        answer: { applied: true, notes: [] },
      };
    });
  }

  async verify({ name, target }: Migration, backup: TableBackup): Promise<{ rows: number }> {
    const { metadata } = await loadOrRefuse(this.#catalog, parseTableIdentifier(target.table));
    refuseOther(metadata, backup);
    const after = findMarker(metadata, name)?.after;
    if (after === undefined) throw conflict('the changes are not applied');
    const expected = schemaById(metadata, after['schema-id']);
    const fields = currentSchema(metadata).fields;
    for (const field of expected.fields) {
      if (!fields.some((one) => JSON.stringify(one) === JSON.stringify(field))) {
        throw conflict(`the column ${field.name} is not as the changes left it`);
      }
    }
    if (metadata['default-spec-id'] !== after['spec-id']) throw conflict('the table is partitioned in another way');
    return { rows: countRows(metadata) };
  }

  async restore(migration: Migration, backup: TableBackup): Promise<RestoredTable> {
    const narrowFiles = new NarrowFiles(this.#duckdb, migration);
    const decide = (table: LoadedTable) => {
      refuseOther(table.metadata, backup);
      return restoreStep(table, migration.name, narrowFiles);
    };
    try {
      return await this.#commit(migration, decide, (files) => {
        narrowFiles.keep(files);
      });
    } finally {
      await narrowFiles.dropRest();
    }
  }

  async release(migration: Migration, backup: TableBackup): Promise<void> {
    const { name } = migration;
    await this.#commit(migration, ({ metadata }): NextStep<undefined> => {
      if (metadata['table-uuid'] !== backup.details['uuid']) return { done: undefined };
      const marker = findMarker(metadata, name);
      const tags = removeTags(metadata, name);
      const isOver = marker?.state === 'restored' || marker?.state === 'completed';
      if (isOver && tags.length === 0) return { done: undefined };
      const state = marker?.state === 'applied' ? 'completed' : isOver ? marker.state : 'restored';
      const compact: Marker = { state, 'was-applied': marker?.['was-applied'] ?? false, 'at-ms': Date.now() };
      return {
        requirements: requireUnchanged(metadata, name),
        updates: [...tags, ...recordMarker(metadata, name, compact)],
        answer: undefined,
      };
    });
  }

  #commit<T>(
    { target, signal }: Migration,
    decide: (table: LoadedTable) => NextStep<T> | Promise<NextStep<T>>,
    keep: (files: readonly string[]) => void = () => undefined,
  ): Promise<T> {
    const identifier = parseTableIdentifier(target.table);
    return commitUntilKnown({ catalog: this.#catalog, identifier, signal, keep }, decide);
  }
}

/** Checks read the whole table, once all changes were made: better known before. */
async function refuseUnreadable({ metadata, manifests }: LoadedTable): Promise<void> {
  if ((await manifests.currentManifests(metadata)).every(({ content }) => content === 0)) return;
  throw conflict(
    'checks.0: the table has delete files (its rows are deleted "merge-on-read"), which checks do not read',
  );
}

function refuseOther(metadata: TableMetadata, { details }: TableBackup): void {
  if (metadata['table-uuid'] !== details['uuid']) {
    throw conflict('the table was dropped after it was backed up; the one of its name is another');
  }
}

function isOver(): EngineError {
  return conflict('the migration was restored or is over; it is not applied any more');
}

function conflict(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
