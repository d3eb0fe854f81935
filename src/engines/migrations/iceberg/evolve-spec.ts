import { newSpec, type PartitionSpec } from '../../iceberg/partition-spec.ts';
import type { NestedField } from '../../iceberg/schema.ts';
import type { TableMetadata } from '../../iceberg/table-metadata.ts';

type PartitionField = PartitionSpec['fields'][number];

/**
 * The spec that a table is to have. A field that any of its specs ever had keeps id and name, as the reference
 * implementation has it (`BaseUpdatePartitionSpec`), so that files of all specs are planned by one set of fields; a spec
 * that the table had before is taken up again.
 *
 * @throws EngineError as `newSpec`
 */
export function evolveSpec(
  partitionBy: readonly string[],
  metadata: TableMetadata,
  { fields: columns, spec: current }: { fields: NestedField[]; spec: PartitionSpec },
): PartitionSpec {
  const known = [...metadata['partition-specs'], current];
  const history = known.flatMap(({ fields }) => fields);
  let lastId = Math.max(metadata['last-partition-id'], ...history.map((field) => field['field-id']));
  const fields: PartitionField[] = [];
  for (const asked of newSpec(partitionBy, { type: 'struct', fields: columns }).fields) {
    const before = history.find(
      (field) => field['source-id'] === asked['source-id'] && field.transform === asked.transform,
    );
    if (before !== undefined) {
      fields.push({ ...asked, 'field-id': before['field-id'], name: before.name });
      continue;
    }
    lastId += 1;
    const taken = new Set(
      [...history, ...fields, ...(asked.transform === 'identity' ? [] : columns)].map(({ name }) => name.toLowerCase()),
    );
    fields.push({ ...asked, 'field-id': lastId, name: freeName(asked.name, taken) });
  }
  const same = known.find((spec) => JSON.stringify(spec.fields.map(essence)) === JSON.stringify(fields.map(essence)));
  return same ?? { 'spec-id': Math.max(...known.map((spec) => spec['spec-id'])) + 1, fields };
}

function essence(field: PartitionField): unknown[] {
  return [field['field-id'], field['source-id'], field.transform, field.name];
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}
