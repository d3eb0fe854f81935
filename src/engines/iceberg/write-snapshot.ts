/**
 * A new snapshot on top of the current one: its manifests, its manifest list and its summary. Iceberg spec, "Snapshots",
 * "Manifest Lists", "Manifests" (entry status), "Sequence Numbers", and Appendix F for the summary.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ENTRY_ADDED, ENTRY_DELETED, ENTRY_EXISTING, type DataFile, type ManifestEntry } from './data-file.ts';
import { inParallel } from './in-parallel.ts';
import type { ManifestReader } from './live-files.ts';
import type { LoadPlan } from './load-plan.ts';
import { encodeManifest } from './manifest.ts';
import { encodeManifestList, type ManifestFile } from './manifest-file.ts';
import { groupManifests, type Mergeable } from './merge-manifests.ts';
import { partitionShape, type PartitionShape } from './partition-shapes.ts';
import { summarizePartitions } from './partition-summary.ts';
import type { FileChange } from './replace-files.ts';
import { summarize } from './snapshot-summary.ts';
import { currentSnapshot, fileFolder, type Snapshot } from './table-metadata.ts';

export interface SnapshotRequest {
  /** For the table that the snapshot is made on. */
  plan: Pick<LoadPlan, 'table' | 'schema'>;
  change: FileChange;
  /** Further entries of the summary. */
  summary: Readonly<Record<string, string>>;
  reader: ManifestReader;
  /** Gets the URI of each file as soon as there is one. */
  written: string[];
}

/** A manifest of the new snapshot: one that is there, or the entries of one to be written. */
type Part = Mergeable & ({ file: ManifestFile } | { entries: ManifestEntry[]; bytes: Buffer });

/** Writes the files of the snapshot; nobody sees them until a commit names them. */
export async function writeSnapshot(request: SnapshotRequest): Promise<Snapshot> {
  const { plan, change, written, summary } = request;
  const { metadata, io } = plan.table;
  const parent = currentSnapshot(metadata);
  const id = newSnapshotId(metadata.snapshots ?? []);
  const sequenceNumber = metadata['last-sequence-number'] + 1n;
  const place = new ManifestPlace(request, { id, sequenceNumber });

  const parts = [
    ...Array.from(
      Map.groupBy(change.added, ({ specId }) => specId),
      ([specId, files]) =>
        place.draft(
          specId,
          files.map((file) => addedEntry(file, id)),
        ),
    ),
    ...change.rewritten.map(({ file, entries }) => place.draft(file.specId, withoutFiles(entries, change.removed, id))),
    ...change.kept.map((file): Part => ({ ...file, sizeBytes: Number(file.length), file })),
  ];
  const manifests: ManifestFile[] = [];
  for (const group of groupManifests(parts, metadata)) manifests.push(await place.manifestOf(group));
  const listPath = `${place.folder}/snap-${id}-1-${place.commit}.avro`;
  const list = encodeManifestList(manifests, { id, parentId: parent?.['snapshot-id'], sequenceNumber });
  // Together, since what takes the time is to wait for the disk.
  written.push(listPath);
  await inParallel([...place.drafted, { path: listPath, bytes: list }], ({ path, bytes }) => io.write(path, bytes));

  const removed = change.rewritten.flatMap((manifest) =>
    manifest.entries.map((entry) => entry.file).filter((file) => change.removed.has(file.path)),
  );
  return {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': sequenceNumber,
    // Clocks differ between machines; time in a table's history does not run backwards.
    'timestamp-ms': Math.max(Date.now(), metadata['last-updated-ms'], parent?.['timestamp-ms'] ?? 0),
    'manifest-list': listPath,
    summary: { ...summarize(parent?.summary, change.added, removed), ...summary },
    'schema-id': plan.schema['schema-id'],
  };
}

/** The manifests of one commit. */
class ManifestPlace {
  readonly commit = randomUUID();
  readonly folder: string;
  /** To be written. */
  readonly drafted: { path: string; bytes: Buffer }[] = [];
  readonly #request: SnapshotRequest;
  readonly #snapshot: { id: bigint; sequenceNumber: bigint };
  readonly #shapes = new Map<number, PartitionShape>();

  constructor(request: SnapshotRequest, snapshot: { id: bigint; sequenceNumber: bigint }) {
    this.#request = request;
    this.#snapshot = snapshot;
    this.folder = fileFolder(request.plan.table.metadata, 'metadata');
  }

  draft(specId: number, entries: ManifestEntry[]): Part {
    const bytes = encodeManifest(entries, this.#shape(specId));
    return { specId, content: 0, sizeBytes: bytes.length, entries, bytes };
  }

  /** One that has all that is in the parts. */
  async manifestOf(parts: readonly Part[]): Promise<ManifestFile> {
    const [only] = parts;
    if (only === undefined) throw new TypeError('no manifest');
    if (parts.length === 1) return 'file' in only ? only.file : this.#keep(only.specId, only.entries, only.bytes);
    const { reader, plan } = this.#request;
    const there = parts.flatMap((part) => ('file' in part ? [part.file] : []));
    const read = await reader.liveDataFiles(plan.table.metadata, there);
    const byPath = new Map(read.map(({ file, entries }) => [file.path, entries]));
    const entries = parts.flatMap((part) =>
      'file' in part ? (byPath.get(part.file.path) ?? []).map(existingEntry) : part.entries,
    );
    return this.#keep(only.specId, entries, encodeManifest(entries, this.#shape(only.specId)));
  }

  #keep(specId: number, entries: readonly ManifestEntry[], bytes: Buffer): ManifestFile {
    const path = `${this.folder}/${this.commit}-m${this.drafted.length}.avro`;
    this.#request.written.push(path);
    this.drafted.push({ path, bytes });
    return describeManifest(entries, { path, length: bytes.length, ...this.#snapshot }, this.#shape(specId));
  }

  #shape(specId: number): PartitionShape {
    const { table, schema } = this.#request.plan;
    const shape = this.#shapes.get(specId) ?? partitionShape(table.metadata, specId, schema);
    this.#shapes.set(specId, shape);
    return shape;
  }
}

function addedEntry(file: DataFile, snapshotId: bigint): ManifestEntry {
  return { status: ENTRY_ADDED, snapshotId, sequenceNumber: null, fileSequenceNumber: null, file };
}

function existingEntry(entry: ManifestEntry): ManifestEntry {
  return { ...entry, status: ENTRY_EXISTING };
}

function withoutFiles(
  entries: readonly ManifestEntry[],
  removed: ReadonlySet<string>,
  snapshotId: bigint,
): ManifestEntry[] {
  return entries.map((entry) =>
    removed.has(entry.file.path) ? { ...entry, status: ENTRY_DELETED, snapshotId } : existingEntry(entry),
  );
}

/** Positive and random, as the spec wants them unique in the table. */
function newSnapshotId(snapshots: readonly Snapshot[]): bigint {
  const taken = new Set(snapshots.map((snapshot) => snapshot['snapshot-id']));
  for (;;) {
    const id = randomBytes(8).readBigUInt64BE() >> 1n;
    if (id > 0n && !taken.has(id)) return id;
  }
}

function describeManifest(
  entries: readonly ManifestEntry[],
  at: { path: string; length: number; id: bigint; sequenceNumber: bigint },
  { spec, fields }: PartitionShape,
): ManifestFile {
  const of = (status: number) => entries.filter((entry) => entry.status === status);
  const rows = (some: readonly ManifestEntry[]) => some.reduce((sum, entry) => sum + entry.file.recordCount, 0n);
  const [added, existing, deleted] = [of(ENTRY_ADDED), of(ENTRY_EXISTING), of(ENTRY_DELETED)];
  const numbers = existing.map((entry) => entry.sequenceNumber ?? at.sequenceNumber);
  return {
    path: at.path,
    length: BigInt(at.length),
    specId: spec['spec-id'],
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
      fields,
    ),
    keyMetadata: null,
  };
}
