import type { PartitionSummary } from './manifest-file.ts';
import type { BoundPartitionField } from './partition-spec.ts';
import { serializeValue } from './single-value.ts';
import { compareValues, type IcebergValue } from './value.ts';

/**
 * What a manifest list says of the partitions in a manifest: Iceberg spec, "Manifest Lists", `field_summary`. Bounds are
 * whole values, since a missing one says that all values are null.
 */
export function summarizePartitions(
  partitions: readonly (IcebergValue | null)[][],
  fields: readonly BoundPartitionField[],
): PartitionSummary[] {
  return fields.map((field, at) => {
    const values = partitions.map((partition) => partition[at] ?? null);
    const present = values.filter((value) => value !== null);
    const least = present.reduce<IcebergValue | undefined>(smaller, undefined);
    const most = present.reduce<IcebergValue | undefined>(larger, undefined);
    return {
      containsNull: present.length < values.length,
      containsNan: false,
      lowerBound: least === undefined ? null : serializeValue(field.resultType, least),
      upperBound: most === undefined ? null : serializeValue(field.resultType, most),
    };
  });
}

function smaller(one: IcebergValue | undefined, other: IcebergValue): IcebergValue {
  return one === undefined || compareValues(other, one) < 0 ? other : one;
}

function larger(one: IcebergValue | undefined, other: IcebergValue): IcebergValue {
  return one === undefined || compareValues(other, one) > 0 ? other : one;
}
