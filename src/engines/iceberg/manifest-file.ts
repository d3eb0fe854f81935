/**
 * What a manifest list says of one manifest: Iceberg spec, "Manifest Lists". See `data-file.ts` for what a manifest
 * holds.
 */
import { EngineError } from '../../errors.ts';
import { decodeAvroFile, encodeAvroFile } from './avro-file.ts';
import { fieldKey, type AvroField, type AvroRecord, type AvroSchema } from './avro-types.ts';

export interface ManifestFile {
  path: string;
  length: bigint;
  specId: number;
  /** 0: data files, 1: delete files */
  content: number;
  sequenceNumber: bigint;
  minSequenceNumber: bigint;
  addedSnapshotId: bigint;
  addedFiles: number;
  existingFiles: number;
  deletedFiles: number;
  addedRows: bigint;
  existingRows: bigint;
  deletedRows: bigint;
  /** One for each field of the spec. */
  partitions: PartitionSummary[] | null;
  keyMetadata: Buffer | null;
}

export interface PartitionSummary {
  containsNull: boolean;
  containsNan: boolean | null;
  lowerBound: Buffer | null;
  upperBound: Buffer | null;
}

const optional = (name: string, id: number, type: AvroSchema): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});

const PARTITION_SUMMARY: AvroSchema = {
  type: 'record',
  name: 'r508',
  fields: [
    { name: 'contains_null', type: 'boolean', 'field-id': 509 },
    optional('contains_nan', 518, 'boolean'),
    optional('lower_bound', 510, 'bytes'),
    optional('upper_bound', 511, 'bytes'),
  ],
};

const MANIFEST_FILE: AvroSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'partition_spec_id', type: 'int', 'field-id': 502 },
    { name: 'content', type: 'int', 'field-id': 517 },
    { name: 'sequence_number', type: 'long', 'field-id': 515 },
    { name: 'min_sequence_number', type: 'long', 'field-id': 516 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
    { name: 'added_files_count', type: 'int', 'field-id': 504 },
    { name: 'existing_files_count', type: 'int', 'field-id': 505 },
    { name: 'deleted_files_count', type: 'int', 'field-id': 506 },
    { name: 'added_rows_count', type: 'long', 'field-id': 512 },
    { name: 'existing_rows_count', type: 'long', 'field-id': 513 },
    { name: 'deleted_rows_count', type: 'long', 'field-id': 514 },
    optional('partitions', 507, { type: 'array', items: PARTITION_SUMMARY, 'element-id': 508 }),
    optional('key_metadata', 519, 'bytes'),
  ],
};

/** The bytes of a manifest list. */
export function encodeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: { id: bigint; parentId: bigint | undefined; sequenceNumber: bigint },
): Buffer {
  return encodeAvroFile(MANIFEST_FILE, manifests.map(toRecord), {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parentId ?? null),
    'sequence-number': String(snapshot.sequenceNumber),
    'format-version': '2',
  });
}

export function decodeManifestList(bytes: Buffer): ManifestFile[] {
  return decodeAvroFile(bytes).records.map(fromRecord);
}

function toRecord(manifest: ManifestFile): AvroRecord {
  const partitions = manifest.partitions?.map((summary) => ({
    [fieldKey(509)]: summary.containsNull,
    [fieldKey(518)]: summary.containsNan,
    [fieldKey(510)]: summary.lowerBound,
    [fieldKey(511)]: summary.upperBound,
  }));
  return {
    [fieldKey(500)]: manifest.path,
    [fieldKey(501)]: manifest.length,
    [fieldKey(502)]: manifest.specId,
    [fieldKey(517)]: manifest.content,
    [fieldKey(515)]: manifest.sequenceNumber,
    [fieldKey(516)]: manifest.minSequenceNumber,
    [fieldKey(503)]: manifest.addedSnapshotId,
    [fieldKey(504)]: manifest.addedFiles,
    [fieldKey(505)]: manifest.existingFiles,
    [fieldKey(506)]: manifest.deletedFiles,
    [fieldKey(512)]: manifest.addedRows,
    [fieldKey(513)]: manifest.existingRows,
    [fieldKey(514)]: manifest.deletedRows,
    [fieldKey(507)]: partitions ?? null,
    [fieldKey(519)]: manifest.keyMetadata,
  };
}

/** Fields that version 1 did not have are missing in lists that were written before an upgrade. */
function fromRecord(record: AvroRecord): ManifestFile {
  const partitions = record[fieldKey(507)] as AvroRecord[] | null | undefined;
  return {
    path: record[fieldKey(500)] as string,
    length: record[fieldKey(501)] as bigint,
    specId: record[fieldKey(502)] as number,
    content: (record[fieldKey(517)] as number | undefined) ?? 0,
    sequenceNumber: (record[fieldKey(515)] as bigint | undefined) ?? 0n,
    minSequenceNumber: (record[fieldKey(516)] as bigint | undefined) ?? 0n,
    addedSnapshotId: record[fieldKey(503)] as bigint,
    addedFiles: told(record[fieldKey(504)] as number | null),
    existingFiles: told(record[fieldKey(505)] as number | null),
    deletedFiles: told(record[fieldKey(506)] as number | null),
    addedRows: told(record[fieldKey(512)] as bigint | null),
    existingRows: told(record[fieldKey(513)] as bigint | null),
    deletedRows: told(record[fieldKey(514)] as bigint | null),
    partitions: partitions?.map(summaryOf) ?? null,
    keyMetadata: (record[fieldKey(519)] as Buffer | null | undefined) ?? null,
  };
}

/** Version 1 let writers leave counts out; without them nobody can tell which manifests are empty. */
function told<T>(count: T | null): T {
  if (count === null) {
    throw new EngineError('UnsupportedError', 'a manifest of the table has no counts; rewrite its manifests');
  }
  return count;
}

function summaryOf(record: AvroRecord): PartitionSummary {
  return {
    containsNull: record[fieldKey(509)] as boolean,
    containsNan: (record[fieldKey(518)] as boolean | null | undefined) ?? null,
    lowerBound: record[fieldKey(510)] as Buffer | null,
    upperBound: record[fieldKey(511)] as Buffer | null,
  };
}
