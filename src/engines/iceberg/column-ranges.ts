/**
 * Which files and manifests cannot have the rows that a load is about, as their bounds tell: Iceberg spec, "Scan
 * Planning" (inclusive projection). What is not told may have them.
 */
import type { DataFile } from './data-file.ts';
import type { ManifestFile } from './manifest-file.ts';
import { orderedPartitionValue } from './ordered-transform.ts';
import type { PartitionValueField } from './partition-spec.ts';
import type { PrimitiveType } from './schema.ts';
import { deserializeValue } from './single-value.ts';
import { compareValues, type IcebergValue } from './value.ts';

/** Values of a column, both ends among them; never NULL. */
export interface ColumnRange {
  id: number;
  type: PrimitiveType;
  smallest: IcebergValue;
  largest: IcebergValue;
}

/** False only when the file's statistics prove that no row of it is in all of the ranges. */
export function mayHaveRows(file: DataFile, ranges: readonly ColumnRange[]): boolean {
  return ranges.every(({ id, type, smallest, largest }) => {
    if (file.nullCounts?.get(id) === file.recordCount) return false;
    const lower = file.lowerBounds?.get(id);
    const upper = file.upperBounds?.get(id);
    if (lower !== undefined && compareValues(deserializeValue(type, lower), largest) > 0) return false;
    return upper === undefined || compareValues(deserializeValue(type, upper), smallest) >= 0;
  });
}

/**
 * The same of all files in a manifest, by the values of its partitions.
 *
 * @param fields of the manifest's own spec
 */
export function manifestMayHaveRows(
  manifest: ManifestFile,
  fields: readonly PartitionValueField[],
  ranges: readonly ColumnRange[],
): boolean {
  return fields.every((field, at) => {
    const range = ranges.find(({ id }) => id === field.sourceId);
    const { lowerBound, upperBound } = manifest.partitions?.[at] ?? {};
    if (range === undefined || lowerBound == null || upperBound == null) return true;
    const smallest = orderedPartitionValue(field.transform, range.type, range.smallest);
    const largest = orderedPartitionValue(field.transform, range.type, range.largest);
    if (smallest === undefined || largest === undefined) return true;
    const bound = (bytes: Buffer) => deserializeValue(field.resultType, bytes);
    return compareValues(bound(lowerBound), largest) <= 0 && compareValues(bound(upperBound), smallest) >= 0;
  });
}
