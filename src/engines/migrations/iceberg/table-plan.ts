import type { IcebergChange } from '../../../schemas/migration.ts';
import type { NestedField, Schema } from '../../iceberg/schema.ts';
import type { TableUpdate } from '../../iceberg/table-changes.ts';
import { currentSchema, type TableMetadata } from '../../iceberg/table-metadata.ts';
import { type EvolvedTable, evolveTable } from './evolve-table.ts';
import { commentOf, type MarkedShape } from './migration-marker.ts';

/** What one commit has to do so that all changes are made. */
export interface TablePlan {
  evolved: EvolvedTable;
  after: MarkedShape;
  updates: TableUpdate[];
}

/** @throws EngineError `SchemaConflictError` that names the change */
export function planChanges(metadata: TableMetadata, changes: readonly IcebergChange[]): TablePlan {
  const evolved = evolveTable(metadata, changes);
  const updates: TableUpdate[] = [];
  const schema = schemaOf(metadata, evolved);
  if (!metadata.schemas.includes(schema)) {
    updates.push({ action: 'add-schema', schema, 'last-column-id': evolved.lastColumnId });
  }
  updates.push({ action: 'set-current-schema', 'schema-id': schema['schema-id'] });
  const { spec } = evolved;
  if (!metadata['partition-specs'].some((known) => known['spec-id'] === spec['spec-id'])) {
    updates.push({ action: 'add-spec', spec });
  }
  updates.push({ action: 'set-default-spec', 'spec-id': spec['spec-id'] });
  updates.push(...commentUpdates(commentOf(metadata), evolved.comment));
  const after = { 'schema-id': schema['schema-id'], 'spec-id': spec['spec-id'], comment: evolved.comment };
  return { evolved, after, updates };
}

/** A schema that the table has already, when the changes lead back to it: catalogs keep none twice. */
function schemaOf(metadata: TableMetadata, { fields }: EvolvedTable): Schema {
  const current = currentSchema(metadata);
  const identifiers = current['identifier-field-ids'];
  const wanted = essence(fields, identifiers);
  const known = metadata.schemas.find((schema) => essence(schema.fields, schema['identifier-field-ids']) === wanted);
  const id = Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1;
  return known ?? { ...current, fields, 'schema-id': id };
}

/** Writers differ in the order of the keys. */
function essence(fields: readonly NestedField[], identifiers: readonly number[] = []): string {
  return JSON.stringify([
    fields.map(({ id, name, required, type, doc }) => [id, name, required, type, doc]),
    identifiers,
  ]);
}

export function commentUpdates(from: string | null, to: string | null): TableUpdate[] {
  if (from === to) return [];
  return to === null
    ? [{ action: 'remove-properties', removals: ['comment'] }]
    : [{ action: 'set-properties', updates: { comment: to } }];
}
