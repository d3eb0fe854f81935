/**
 * The snapshot by which the files that others wrote under a wider schema become readable under the one before: Iceberg
 * spec, "Snapshots" (operation `replace`: the same rows in other files) and "Manifests".
 */
import { EngineError } from '../../../errors.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import type { DataFile, ManifestEntry } from '../../iceberg/data-file.ts';
import type { Manifest } from '../../iceberg/live-files.ts';
import { decodeManifestList, type ManifestFile } from '../../iceberg/manifest-file.ts';
import type { PartitionValueField } from '../../iceberg/partition-spec.ts';
import { partitionShape } from '../../iceberg/partition-shapes.ts';
import type { Schema } from '../../iceberg/schema.ts';
import type { Snapshot } from '../../iceberg/table-metadata.ts';
import type { IcebergValue } from '../../iceberg/value.ts';
import { writeSnapshot } from '../../iceberg/write-snapshot.ts';
import type { WrittenSince } from './files-since.ts';
import type { NarrowFiles } from './narrow-files.ts';
import type { RetypedColumn } from './retyped-column.ts';

export interface WideTable {
  table: LoadedTable;
  /** Id of the snapshot that was current when the column was widened. */
  since: string | null;
  written: WrittenSince;
  before: Schema;
  after: Schema;
  retyped: readonly RetypedColumn[];
}

/**
 * Undefined when all can be read as it is. Its own files are among the uncommitted ones of `narrowFiles`.
 *
 * @throws EngineError as {@link NarrowFiles.narrow}
 */
export async function narrowingSnapshot(
  { table, since, written: { wide, deletes }, before, after, retyped }: WideTable,
  narrowFiles: NarrowFiles,
): Promise<{ snapshot: Snapshot; named: string[]; replaced: number } | undefined> {
  const { metadata, manifests: reader } = table;
  const manifests = await reader.currentManifests(metadata);
  const ofBefore = await manifestsOf(table, since);
  const fresh = manifests.filter(({ path }) => !ofBefore.has(path));
  const shape = (specId: number, schema: Schema) => partitionShape(metadata, specId, schema).fields;
  // Its partition values are written in the wider type, which readers of the narrower one do not take either.
  const isWide = ({ specId }: ManifestFile) => typesOf(shape(specId, before)) !== typesOf(shape(specId, after));
  const narrowed = (read: Manifest): Manifest => {
    const fields = shape(read.file.specId, before);
    return {
      ...read,
      entries: read.entries.map((entry) => withNarrowPartition(withNarrowBounds(entry, retyped), fields)),
    };
  };
  if (fresh.some((manifest) => manifest.content !== 0 && isWide(manifest))) throw deletesInTheWay();
  const ofData = fresh.filter(({ content }) => content === 0);
  const found = await reader.liveDataFiles(metadata, ofData);
  const read = found.map(narrowed);
  const files = read.flatMap(({ entries }) => entries.map(({ file }) => file)).filter(({ path }) => wide.has(path));
  const instead = await narrowFiles.narrow({ table, before, retyped }, files);
  const removed = new Set(instead.keys());
  if (deletes.some((file) => isLostWith(file, removed, retyped))) throw deletesInTheWay();
  const rewritten = read.filter(
    ({ file, entries }, at) =>
      isWide(file) ||
      entries.some((entry) => removed.has(entry.file.path)) ||
      found[at]?.entries.some((entry) => hasWideBounds(entry.file, retyped)) === true,
  );
  if (rewritten.length === 0) return undefined;
  const written: string[] = [];
  try {
    const gone = new Set(rewritten.map(({ file }) => file.path));
    const added = [...instead.values()].flat();
    const snapshot = await writeSnapshot({
      plan: { table, schema: before },
      change: { added, removed, rewritten, kept: manifests.filter(({ path }) => !gone.has(path)) },
      summary: { operation: 'replace' },
      reader,
      written,
    });
    return { snapshot, named: [...written, ...added.map(({ path }) => path)], replaced: removed.size };
  } finally {
    narrowFiles.uncommitted.push(...written);
  }
}

/** Field id of `file_path` in position delete files: spec, "Reserved Field IDs". */
const FILE_PATH_ID = 2147483546;

/** Whether a delete file would no longer delete what it does, or not be read, once files were written anew. */
function isLostWith(file: DataFile, removed: ReadonlySet<string>, retyped: readonly RetypedColumn[]): boolean {
  if (file.content !== 1) {
    // It deletes from older files only, and has a file's values of the columns it goes by.
    const ids = new Set(file.equalityIds ?? []);
    return removed.size > 0 || retyped.some(({ field }) => ids.has(field.id));
  }
  const [least, most] = [file.lowerBounds?.get(FILE_PATH_ID), file.upperBounds?.get(FILE_PATH_ID)];
  // Equal bounds are not cut: all rows are of this one file.
  const ofOneFile = least !== undefined && most !== undefined && least.equals(most);
  return ofOneFile ? removed.has(least.toString()) : removed.size > 0;
}

function deletesInTheWay(): EngineError {
  return new EngineError(
    'UnsupportedError',
    'delete files were added since, for what has to be written anew; compact them away',
  );
}

async function manifestsOf({ metadata, io }: LoadedTable, snapshotId: string | null): Promise<ReadonlySet<string>> {
  const snapshot = metadata.snapshots?.find((one) => String(one['snapshot-id']) === snapshotId);
  if (snapshot === undefined) return new Set();
  return new Set(decodeManifestList(await io.read(snapshot['manifest-list'])).map(({ path }) => path));
}

function typesOf(fields: readonly PartitionValueField[]): string {
  return fields.map(({ resultType }) => resultType).join();
}

/** Bounds of an int or a float in eight bytes; a reader of the table's metadata fails at them, or takes them for others. */
function wideBounds(file: DataFile, retyped: readonly RetypedColumn[]): number[] {
  const ids = retyped.filter(({ narrow }) => narrow === 'int' || narrow === 'float').map(({ field }) => field.id);
  return ids.filter((id) => [file.lowerBounds, file.upperBounds].some((bounds) => bounds?.get(id)?.length === 8));
}

function hasWideBounds(file: DataFile, retyped: readonly RetypedColumn[]): boolean {
  return wideBounds(file, retyped).length > 0;
}

/** Also of a file that the snapshot replaces: its entry stays in a manifest. */
function withNarrowBounds(entry: ManifestEntry, retyped: readonly RetypedColumn[]): ManifestEntry {
  const ids = wideBounds(entry.file, retyped);
  if (ids.length === 0) return entry;
  const without = (bounds: DataFile['lowerBounds']) =>
    bounds && new Map([...bounds].filter(([id]) => !ids.includes(id)));
  const { lowerBounds, upperBounds } = entry.file;
  return { ...entry, file: { ...entry.file, lowerBounds: without(lowerBounds), upperBounds: without(upperBounds) } };
}

/** Truncating wraps around at the low end of an int, as Java's arithmetic does, and at that of a long it is another one. */
function withNarrowPartition(entry: ManifestEntry, fields: readonly PartitionValueField[]): ManifestEntry {
  const partition = fields.map(({ resultType }, at): IcebergValue | null => {
    const value = entry.file.partition[at] ?? null;
    return resultType === 'int' && typeof value === 'bigint' ? BigInt.asIntN(32, value) : value;
  });
  return { ...entry, file: { ...entry.file, partition } };
}
