import type { IcebergValue } from './value.ts';

/** A data file as manifests describe it: Iceberg spec, "Manifests", `data_file`. Statistics are by field id, null when not told. */
export interface DataFile {
  /** 0: data, 1: position deletes, 2: equality deletes */
  content: number;
  path: string;
  /** PARQUET, ORC or AVRO. */
  format: string;
  /** By which it is partitioned: those of one table may differ. */
  specId: number;
  /** A value for each field of its spec, null where the row's value is null. */
  partition: (IcebergValue | null)[];
  recordCount: bigint;
  sizeBytes: bigint;
  columnSizes: ReadonlyMap<number, bigint> | null;
  valueCounts: ReadonlyMap<number, bigint> | null;
  nullCounts: ReadonlyMap<number, bigint> | null;
  nanCounts: ReadonlyMap<number, bigint> | null;
  lowerBounds: ReadonlyMap<number, Buffer> | null;
  upperBounds: ReadonlyMap<number, Buffer> | null;
  keyMetadata: Buffer | null;
  splitOffsets: bigint[] | null;
  equalityIds: number[] | null;
  sortOrderId: number | null;
}

export const ENTRY_EXISTING = 0;
export const ENTRY_ADDED = 1;
export const ENTRY_DELETED = 2;

/** A line of a manifest: spec, "Manifests", `manifest_entry`. Null: inherited from the manifest list. */
export interface ManifestEntry {
  status: number;
  snapshotId: bigint | null;
  sequenceNumber: bigint | null;
  fileSequenceNumber: bigint | null;
  file: DataFile;
}
