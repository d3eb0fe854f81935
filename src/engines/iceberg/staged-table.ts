/** A table before its first commit: Iceberg spec, "Table Metadata Fields"; REST specification, `stage-create`. */
import { applyUpdates } from './apply-changes.ts';
import type { NewTable } from './catalog.ts';
import { currentSchema, defaultSpec, type TableMetadata } from './table-metadata.ts';
import type { TableUpdate } from './table-changes.ts';

export function stagedMetadata(table: NewTable, location: string, uuid: string): TableMetadata {
  const updates: TableUpdate[] = [
    { action: 'assign-uuid', uuid },
    { action: 'set-location', location },
    { action: 'add-schema', schema: { ...table.schema, 'schema-id': 0 }, 'last-column-id': table.lastColumnId },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: table.spec },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
  ];
  return applyUpdates(undefined, updates, Date.now());
}

/** What the commit that makes the table must repeat, since a staged table is nowhere but here. */
export function creationUpdates(staged: TableMetadata): TableUpdate[] {
  return [
    { action: 'assign-uuid', uuid: staged['table-uuid'] },
    { action: 'upgrade-format-version', 'format-version': staged['format-version'] },
    { action: 'add-schema', schema: currentSchema(staged), 'last-column-id': staged['last-column-id'] },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: defaultSpec(staged) },
    { action: 'set-default-spec', 'spec-id': -1 },
    ...staged['sort-orders'].map((order): TableUpdate => ({ action: 'add-sort-order', 'sort-order': order })),
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-location', location: staged.location },
    { action: 'set-properties', updates: staged.properties ?? {} },
  ];
}
