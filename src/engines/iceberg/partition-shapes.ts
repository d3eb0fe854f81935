/**
 * The partition specs of a table, as manifests are read and written with them: Iceberg spec, "Partition Evolution". A
 * file keeps the spec that it was written under, also when nothing is written under that any more and the columns that
 * it was made from are gone.
 */
import { EngineError } from '../../errors.ts';
import {
  parseTransform,
  type PartitionSpec,
  type PartitionValueField,
  resultType,
  type Transform,
} from './partition-spec.ts';
import { isPrimitive, type IcebergType, type PrimitiveType, type Schema, type StructType } from './schema.ts';
import { currentSchema, type TableMetadata } from './table-metadata.ts';

/** What a manifest is written with. */
export interface PartitionShape {
  /** The table's current one. */
  schema: Schema;
  spec: PartitionSpec;
  fields: readonly PartitionValueField[];
}

/**
 * @param schema the one that the table has from now on
 * @throws EngineError `ValidationError` when the table has no such spec; `UnsupportedError` when nobody can tell the type
 *   of its values
 */
export function partitionShape(
  metadata: TableMetadata,
  specId: number,
  schema: Schema = currentSchema(metadata),
): PartitionShape {
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === specId);
  if (spec === undefined)
    throw new EngineError('ValidationError', `the table metadata lacks its partition spec ${specId}`);
  const older = metadata.schemas.toSorted((one, other) => other['schema-id'] - one['schema-id']);
  const fields = spec.fields.map((field): PartitionValueField => {
    const transform = parseTransform(field.transform);
    const sourceId = field['source-id'];
    const source = [schema, ...older].map((known) => typeOf(known, sourceId)).find((type) => type !== undefined);
    return {
      fieldId: field['field-id'],
      sourceId,
      name: field.name,
      transform,
      resultType: resultType(transform, source ?? typeOfGone(transform, field.name)),
    };
  });
  return { schema, spec, fields };
}

/** Wherever in the schema the column is. */
function typeOf(struct: StructType, id: number): PrimitiveType | undefined {
  for (const field of struct.fields) {
    if (field.id === id) return isPrimitive(field.type) ? field.type : undefined;
    const inside = typeWithin(field.type, id);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function typeWithin(type: IcebergType, id: number): PrimitiveType | undefined {
  return !isPrimitive(type) && type.type === 'struct' ? typeOf(type, id) : undefined;
}

/** Of a column that no schema has any more: it only matters where values are the column's own. */
function typeOfGone(transform: Transform, name: string): PrimitiveType {
  if (transform.kind !== 'identity' && transform.kind !== 'truncate') return 'int';
  throw new EngineError(
    'UnsupportedError',
    `the partition field ${name} was made from a column that is in none of the table's schemas; rewrite its data files`,
  );
}
