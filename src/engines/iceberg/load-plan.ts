/** How the rows of a load go into a table as it is at one moment: under which schema and spec, what the commit changes. */
import { checkSpecAgrees, bindSpec, newSpec, type BoundPartitionField, type PartitionSpec } from './partition-spec.ts';
import type { IcebergCatalog, LoadedTable, TableIdentifier } from './catalog.ts';
import type { InputColumn } from './duckdb-types.ts';
import { fitSchema, schemaForRows } from './fit-schema.ts';
import type { NestedField, Schema } from './schema.ts';
import { creationUpdates } from './staged-table.ts';
import { currentSchema, defaultSpec } from './table-metadata.ts';
import type { TableRequirement, TableUpdate } from './table-changes.ts';

export interface LoadPlan {
  /** As the catalog has it, or as it would be made. */
  table: LoadedTable;
  schema: Schema;
  spec: PartitionSpec;
  fields: BoundPartitionField[];
  /** The columns of the table that the rows have, in the table's order. */
  columns: NestedField[];
  requirements: TableRequirement[];
  /** What makes the table, or its new schema, before the snapshot is added. */
  updates: TableUpdate[];
}

export interface PlannedLoad {
  identifier: TableIdentifier;
  partitionBy: readonly string[];
  schemaEvolution: 'none' | 'add_columns';
}

/**
 * @param table undefined when there is none yet
 * @throws EngineError `SchemaConflictError`, `ValidationError` or `UnsupportedError` when the rows cannot go there
 */
export async function planLoad(
  load: PlannedLoad,
  table: LoadedTable | undefined,
  rows: readonly InputColumn[],
  catalog: IcebergCatalog,
): Promise<LoadPlan> {
  return table === undefined ? planNewTable(load, rows, catalog) : planExisting(load, table, rows);
}

async function planNewTable(
  load: PlannedLoad,
  rows: readonly InputColumn[],
  catalog: IcebergCatalog,
): Promise<LoadPlan> {
  const { schema, lastColumnId } = schemaForRows(rows);
  const spec = newSpec(load.partitionBy, schema);
  const table = await catalog.stageTable(load.identifier, { schema, lastColumnId, spec });
  const requirements: TableRequirement[] = [{ type: 'assert-create' }];
  // A catalog may number schema and spec anew, so they are taken from its answer.
  const shape = shapeOf(currentSchema(table.metadata), defaultSpec(table.metadata), rows);
  return { table, ...shape, requirements, updates: creationUpdates(table.metadata) };
}

function planExisting(load: PlannedLoad, table: LoadedTable, rows: readonly InputColumn[]): LoadPlan {
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const fitted = fitSchema({ schema, lastColumnId: metadata['last-column-id'] }, rows, load.schemaEvolution);
  const spec = defaultSpec(metadata);
  checkSpecAgrees(load.partitionBy, spec, schema);
  const requirements: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': metadata['current-snapshot-id'] ?? null },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
  ];
  if (!fitted.changed) return { table, ...shapeOf(schema, spec, rows), requirements, updates: [] };
  const id = Math.max(...metadata.schemas.map((known) => known['schema-id'])) + 1;
  const evolved: Schema = { ...schema, ...fitted.schema, 'schema-id': id };
  return {
    table,
    ...shapeOf(evolved, spec, rows),
    requirements: [
      ...requirements,
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    ],
    updates: [
      { action: 'add-schema', schema: evolved, 'last-column-id': fitted.lastColumnId },
      { action: 'set-current-schema', 'schema-id': -1 },
    ],
  };
}

function shapeOf(
  schema: Schema,
  spec: PartitionSpec,
  rows: readonly InputColumn[],
): Pick<LoadPlan, 'schema' | 'spec' | 'fields' | 'columns'> {
  const names = new Set(rows.map((row) => row.name));
  const columns = schema.fields.filter((field) => names.has(field.name));
  return { schema, spec, fields: bindSpec(spec, schema), columns };
}

/** Whether files that were written by the one plan are right for the other one too. */
export function sameFiles(one: LoadPlan, other: LoadPlan): boolean {
  return describePlan(one) === describePlan(other);
}

function describePlan(plan: LoadPlan): string {
  return JSON.stringify([plan.table.metadata.location, plan.columns, plan.spec['spec-id'], plan.fields]);
}
