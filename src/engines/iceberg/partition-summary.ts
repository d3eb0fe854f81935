import type { PartitionSummary } from './manifest-file.ts';
import type { PartitionValueField } from './partition-spec.ts';
import { serializeValue } from './single-value.ts';
import { compareValues, type IcebergValue } from './value.ts';

/**
 * What a manifest list says of the partitions in a manifest: Iceberg spec, "Manifest Lists", `field_summary`. Bounds are
 * whole values, since a missing one says that all values are null.
 */
export function summarizePartitions(
  partitions: readonly (IcebergValue | null)[][],
  fields: readonly PartitionValueField[],
): PartitionSummary[] {
  return fields.map((field, at) => {
    const values = partitions.map((partition) => partition[at] ?? null);
    const told = values.filter((value) => value !== null);
    const present = told.filter((value) => !Number.isNaN(value));
    const least = present.reduce<IcebergValue | undefined>(smaller, undefined);
    const most = present.reduce<IcebergValue | undefined>(larger, undefined);
    return {
      containsNull: told.length < values.length,
      containsNan: present.length < told.length,
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
