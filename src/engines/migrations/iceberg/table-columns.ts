import { EngineError } from '../../../errors.ts';
import { isPrimitive, type IcebergType, type NestedField, type Schema } from '../../iceberg/schema.ts';
import type { TableMetadata } from '../../iceberg/table-metadata.ts';
import type { TableColumn } from '../table-migrator.ts';

export function tableColumns({ fields }: { fields: readonly NestedField[] }): TableColumn[] {
  return fields.map(({ name, type, required, doc }) => ({
    name,
    type: describeType(type),
    required,
    ...(doc !== undefined && { comment: doc }),
  }));
}

/** As pyiceberg and Spark write them: `struct<a: int>`, `list<string>`. */
function describeType(type: IcebergType): string {
  if (isPrimitive(type)) return type;
  if (type.type === 'list') return `list<${describeType(type.element)}>`;
  if (type.type === 'map') return `map<${describeType(type.key)}, ${describeType(type.value)}>`;
  return `struct<${type.fields.map((field) => `${field.name}: ${describeType(field.type)}`).join(', ')}>`;
}

/** @throws EngineError `SchemaConflictError` when the table has it no more */
export function schemaById(metadata: TableMetadata, id: number): Schema {
  const found = metadata.schemas.find((schema) => schema['schema-id'] === id);
  if (found === undefined) throw new EngineError('SchemaConflictError', `somebody removed the table's schema ${id}`);
  return found;
}
