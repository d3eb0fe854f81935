/** Manifests: Iceberg spec, "Manifests", read and written. Partition tuples are typed by the table's spec. */
import { decodeAvroFile, encodeAvroFile } from './avro-file.ts';
import { fieldKey, type AvroField, type AvroRecord, type AvroSchema } from './avro-types.ts';
import type { DataFile, ManifestEntry } from './data-file.ts';
import { avroPartitionType, fromAvroValue, toAvroValue } from './partition-avro.ts';
import type { PartitionValueField, PartitionSpec } from './partition-spec.ts';
import type { Schema } from './schema.ts';

const optional = (name: string, id: number, type: AvroSchema): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});

/** A map with int keys is an array of pairs: Appendix A, "Avro", logical type `map`. */
const mapOf = (keyId: number, valueId: number, value: AvroSchema): AvroSchema => ({
  type: 'array',
  logicalType: 'map',
  items: {
    type: 'record',
    name: `k${keyId}_v${valueId}`,
    fields: [
      { name: 'key', type: 'int', 'field-id': keyId },
      { name: 'value', type: value, 'field-id': valueId },
    ],
  },
});

const MAPS = {
  columnSizes: { id: 108, keyId: 117, valueId: 118 },
  valueCounts: { id: 109, keyId: 119, valueId: 120 },
  nullCounts: { id: 110, keyId: 121, valueId: 122 },
  nanCounts: { id: 137, keyId: 138, valueId: 139 },
  lowerBounds: { id: 125, keyId: 126, valueId: 127 },
  upperBounds: { id: 128, keyId: 129, valueId: 130 },
};

const statistics = (name: string, map: keyof typeof MAPS, value: AvroSchema): AvroField =>
  optional(name, MAPS[map].id, mapOf(MAPS[map].keyId, MAPS[map].valueId, value));

function entrySchema(fields: readonly PartitionValueField[]): AvroSchema {
  const dataFile: AvroSchema = {
    type: 'record',
    name: 'r2',
    fields: [
      { name: 'content', type: 'int', 'field-id': 134 },
      { name: 'file_path', type: 'string', 'field-id': 100 },
      { name: 'file_format', type: 'string', 'field-id': 101 },
      { name: 'partition', type: avroPartitionType(fields), 'field-id': 102 },
      { name: 'record_count', type: 'long', 'field-id': 103 },
      { name: 'file_size_in_bytes', type: 'long', 'field-id': 104 },
      statistics('column_sizes', 'columnSizes', 'long'),
      statistics('value_counts', 'valueCounts', 'long'),
      statistics('null_value_counts', 'nullCounts', 'long'),
      statistics('nan_value_counts', 'nanCounts', 'long'),
      statistics('lower_bounds', 'lowerBounds', 'bytes'),
      statistics('upper_bounds', 'upperBounds', 'bytes'),
      optional('key_metadata', 131, 'bytes'),
      optional('split_offsets', 132, { type: 'array', items: 'long', 'element-id': 133 }),
      optional('equality_ids', 135, { type: 'array', items: 'int', 'element-id': 136 }),
      optional('sort_order_id', 140, 'int'),
    ],
  };
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      { name: 'status', type: 'int', 'field-id': 0 },
      optional('snapshot_id', 1, 'long'),
      optional('sequence_number', 3, 'long'),
      optional('file_sequence_number', 4, 'long'),
      { name: 'data_file', type: dataFile, 'field-id': 2 },
    ],
  };
}

/** The bytes of a manifest of data files. */
export function encodeManifest(
  entries: readonly ManifestEntry[],
  table: { schema: Schema; spec: PartitionSpec; fields: readonly PartitionValueField[] },
): Buffer {
  const records = entries.map((entry) => ({
    [fieldKey(0)]: entry.status,
    [fieldKey(1)]: entry.snapshotId,
    [fieldKey(3)]: entry.sequenceNumber,
    [fieldKey(4)]: entry.fileSequenceNumber,
    [fieldKey(2)]: fileToRecord(entry.file, table.fields),
  }));
  return encodeAvroFile(entrySchema(table.fields), records, {
    schema: JSON.stringify(table.schema),
    'schema-id': String(table.schema['schema-id']),
    'partition-spec': JSON.stringify(table.spec.fields),
    'partition-spec-id': String(table.spec['spec-id']),
    'format-version': '2',
    content: 'data',
  });
}

/** @param spec with which the manifest was written, and its fields */
export function decodeManifest(
  bytes: Buffer,
  { specId, fields }: { specId: number; fields: readonly PartitionValueField[] },
): ManifestEntry[] {
  return decodeAvroFile(bytes).records.map((record) => ({
    status: record[fieldKey(0)] as number,
    snapshotId: (record[fieldKey(1)] as bigint | null | undefined) ?? null,
    sequenceNumber: (record[fieldKey(3)] as bigint | null | undefined) ?? null,
    fileSequenceNumber: (record[fieldKey(4)] as bigint | null | undefined) ?? null,
    file: { specId, ...recordToFile(record[fieldKey(2)] as AvroRecord, fields) },
  }));
}

function fileToRecord(file: DataFile, fields: readonly PartitionValueField[]): AvroRecord {
  const partition = fields.map((field, at): [string, unknown] => {
    const value = file.partition[at] ?? null;
    return [fieldKey(field.fieldId), value === null ? null : toAvroValue(field.resultType, value)];
  });
  return {
    [fieldKey(134)]: file.content,
    [fieldKey(100)]: file.path,
    [fieldKey(101)]: file.format,
    [fieldKey(102)]: Object.fromEntries(partition),
    [fieldKey(103)]: file.recordCount,
    [fieldKey(104)]: file.sizeBytes,
    ...mapToRecord('columnSizes', file.columnSizes),
    ...mapToRecord('valueCounts', file.valueCounts),
    ...mapToRecord('nullCounts', file.nullCounts),
    ...mapToRecord('nanCounts', file.nanCounts),
    ...mapToRecord('lowerBounds', file.lowerBounds),
    ...mapToRecord('upperBounds', file.upperBounds),
    [fieldKey(131)]: file.keyMetadata,
    [fieldKey(132)]: file.splitOffsets,
    [fieldKey(135)]: file.equalityIds,
    [fieldKey(140)]: file.sortOrderId,
  };
}

function recordToFile(record: AvroRecord, fields: readonly PartitionValueField[]): Omit<DataFile, 'specId'> {
  const partition = record[fieldKey(102)] as AvroRecord;
  return {
    content: (record[fieldKey(134)] as number | undefined) ?? 0,
    path: record[fieldKey(100)] as string,
    format: (record[fieldKey(101)] as string).toUpperCase(),
    partition: fields.map((field) => {
      const value = partition[fieldKey(field.fieldId)] ?? null;
      return value === null ? null : fromAvroValue(field.resultType, value);
    }),
    recordCount: record[fieldKey(103)] as bigint,
    sizeBytes: record[fieldKey(104)] as bigint,
    columnSizes: recordToMap(record, 'columnSizes'),
    valueCounts: recordToMap(record, 'valueCounts'),
    nullCounts: recordToMap(record, 'nullCounts'),
    nanCounts: recordToMap(record, 'nanCounts'),
    lowerBounds: recordToMap(record, 'lowerBounds'),
    upperBounds: recordToMap(record, 'upperBounds'),
    keyMetadata: (record[fieldKey(131)] as Buffer | null | undefined) ?? null,
    splitOffsets: (record[fieldKey(132)] as bigint[] | null | undefined) ?? null,
    equalityIds: (record[fieldKey(135)] as (number | bigint)[] | null | undefined)?.map(Number) ?? null,
    sortOrderId: (record[fieldKey(140)] as number | null | undefined) ?? null,
  };
}

function mapToRecord(name: keyof typeof MAPS, map: ReadonlyMap<number, bigint | Buffer> | null): AvroRecord {
  const { id, keyId, valueId } = MAPS[name];
  const pairs = map && Array.from(map, ([key, value]) => ({ [fieldKey(keyId)]: key, [fieldKey(valueId)]: value }));
  return { [fieldKey(id)]: pairs };
}

function recordToMap<T extends bigint | Buffer>(record: AvroRecord, name: keyof typeof MAPS): Map<number, T> | null {
  const { id, keyId, valueId } = MAPS[name];
  const pairs = (record[fieldKey(id)] as AvroRecord[] | null | undefined) ?? null;
  return pairs && new Map(pairs.map((pair) => [pair[fieldKey(keyId)] as number, pair[fieldKey(valueId)] as T]));
}
