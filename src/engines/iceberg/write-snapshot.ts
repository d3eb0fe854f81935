/**
 * A new snapshot on top of the current one: its manifests, its manifest list and its summary. Iceberg spec, "Snapshots",
 * "Manifest Lists", "Manifests" (entry status), "Sequence Numbers", and Appendix F for the summary.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ENTRY_ADDED, ENTRY_DELETED, ENTRY_EXISTING, type DataFile, type ManifestEntry } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import type { Manifest } from './live-files.ts';
import { encodeManifest } from './manifest.ts';
import { encodeManifestList, type ManifestFile } from './manifest-file.ts';
import { summarizePartitions } from './partition-summary.ts';
import type { BoundPartitionField, PartitionSpec } from './partition-spec.ts';
import type { Schema } from './schema.ts';
import { summarize } from './snapshot-summary.ts';
import { currentSnapshot, fileFolder, type Snapshot, type TableMetadata } from './table-metadata.ts';

/** What manifests are written for. */
export interface TableShape {
  schema: Schema;
  spec: PartitionSpec;
  fields: readonly BoundPartitionField[];
}

export interface SnapshotChange {
  added: readonly DataFile[];
  /** Manifests that stay as they are. */
  kept: readonly ManifestFile[];
  /** Manifests that lose the files whose paths are in `removed`. */
  rewritten: readonly Manifest[];
  removed: ReadonlySet<string>;
  /** Further entries of the summary. */
  summary: Readonly<Record<string, string>>;
}

/**
 * Writes the files of the snapshot; nobody sees them until a commit names them.
 *
 * @param written gets the URI of each file as soon as there is one
 */
export async function writeSnapshot(
  base: TableMetadata,
  shape: TableShape,
  change: SnapshotChange,
  io: FileIo,
  written: string[],
): Promise<Snapshot> {
  const parent = currentSnapshot(base);
  const id = newSnapshotId(base);
  const sequenceNumber = base['last-sequence-number'] + 1n;
  const folder = fileFolder(base, 'metadata');
  const commit = randomUUID();
  const writeManifest = async (entries: ManifestEntry[], number: number): Promise<ManifestFile> => {
    const path = `${folder}/${commit}-m${number}.avro`;
    const bytes = encodeManifest(entries, shape);
    written.push(path);
    await io.write(path, bytes);
    return describeManifest(entries, { path, length: bytes.length, id, sequenceNumber }, shape);
  };

  const manifests: ManifestFile[] = [];
  if (change.added.length > 0)
    manifests.push(
      await writeManifest(
        change.added.map((file) => addedEntry(file, id)),
        0,
      ),
    );
  for (const [at, manifest] of change.rewritten.entries()) {
    const entries = manifest.entries.map((entry) =>
      change.removed.has(entry.file.path)
        ? { ...entry, status: ENTRY_DELETED, snapshotId: id }
        : { ...entry, status: ENTRY_EXISTING },
    );
    manifests.push(await writeManifest(entries, at + 1));
  }
  manifests.push(...change.kept);

  const removed = change.rewritten.flatMap((manifest) =>
    manifest.entries.map((entry) => entry.file).filter((file) => change.removed.has(file.path)),
  );
  const listPath = `${folder}/snap-${id}-1-${commit}.avro`;
  written.push(listPath);
  await io.write(listPath, encodeManifestList(manifests, { id, parentId: parent?.['snapshot-id'], sequenceNumber }));
  return {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequenceNumber,
    // Clocks differ between machines; time in a table's history does not run backwards.
    'timestamp-ms': Math.max(Date.now(), base['last-updated-ms'], parent?.['timestamp-ms'] ?? 0),
    'manifest-list': listPath,
    summary: { ...summarize(parent?.summary, change.added, removed), ...change.summary },
    'schema-id': shape.schema['schema-id'],
  };
}

function addedEntry(file: DataFile, snapshotId: bigint): ManifestEntry {
  return { status: ENTRY_ADDED, snapshotId, sequenceNumber: null, fileSequenceNumber: null, file };
}

/** Positive and random, as the spec wants them unique in the table. */
function newSnapshotId(base: TableMetadata): bigint {
  const taken = new Set(base.snapshots?.map((snapshot) => snapshot['snapshot-id']));
  for (;;) {
    const id = randomBytes(8).readBigUInt64BE() >> 1n;
    if (id > 0n && !taken.has(id)) return id;
  }
}

function describeManifest(
  entries: readonly ManifestEntry[],
  at: { path: string; length: number; id: bigint; sequenceNumber: bigint },
  shape: TableShape,
): ManifestFile {
  const of = (status: number) => entries.filter((entry) => entry.status === status);
  const rows = (some: readonly ManifestEntry[]) => some.reduce((sum, entry) => sum + entry.file.recordCount, 0n);
  const [added, existing, deleted] = [of(ENTRY_ADDED), of(ENTRY_EXISTING), of(ENTRY_DELETED)];
  const numbers = existing.map((entry) => entry.sequenceNumber ?? at.sequenceNumber);
  return {
    path: at.path,
    length: BigInt(at.length),
    specId: shape.spec['spec-id'],
    content: 0,
    sequenceNumber: at.sequenceNumber,
    minSequenceNumber: numbers.reduce((least, number) => (number < least ? number : least), at.sequenceNumber),
    addedSnapshotId: at.id,
    addedFiles: added.length,
    existingFiles: existing.length,
    deletedFiles: deleted.length,
    addedRows: rows(added),
    existingRows: rows(existing),
    deletedRows: rows(deleted),
    partitions: summarizePartitions(
      entries.map((entry) => entry.file.partition),
      shape.fields,
    ),
    keyMetadata: null,
  };
}
