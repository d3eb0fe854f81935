/**
 * The snapshot by which the files that others wrote under a wider schema become readable under the one before: Iceberg
 * spec, "Snapshots" (operation `replace`: the same rows in other files) and "Manifests".
 */
import type { LoadedTable } from '../../iceberg/catalog.ts';
import type { ManifestEntry } from '../../iceberg/data-file.ts';
import { type Manifest, refuseToReplace } from '../../iceberg/live-files.ts';
import { decodeManifestList, type ManifestFile } from '../../iceberg/manifest-file.ts';
import type { PartitionValueField } from '../../iceberg/partition-spec.ts';
import { partitionShape } from '../../iceberg/partition-shapes.ts';
import type { Schema } from '../../iceberg/schema.ts';
import type { Snapshot } from '../../iceberg/table-metadata.ts';
import type { IcebergValue } from '../../iceberg/value.ts';
import { writeSnapshot } from '../../iceberg/write-snapshot.ts';
import type { NarrowFiles } from './narrow-files.ts';
import type { RetypedColumn } from './retyped-column.ts';

export interface WideTable {
  table: LoadedTable;
  /** Id of the snapshot that was current when the column was widened. */
  since: string | null;
  /** Paths of files that may store it wide. */
  wide: ReadonlySet<string>;
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
  { table, since, wide, before, after, retyped }: WideTable,
  narrowFiles: NarrowFiles,
): Promise<{ snapshot: Snapshot; named: string[]; replaced: number } | undefined> {
  const { metadata, manifests: reader } = table;
  const manifests = await reader.currentManifests(metadata);
  refuseToReplace(manifests);
  const ofBefore = await manifestsOf(table, since);
  const fresh = manifests.filter(({ path }) => !ofBefore.has(path));
  const shape = (specId: number, schema: Schema) => partitionShape(metadata, specId, schema).fields;
  // Its partition values are written in the wider type, which readers of the narrower one do not take either.
  const isWide = ({ specId }: ManifestFile) => typesOf(shape(specId, before)) !== typesOf(shape(specId, after));
  const narrowed = (read: Manifest): Manifest => {
    const fields = shape(read.file.specId, before);
    return { ...read, entries: read.entries.map((entry) => withNarrowPartition(entry, fields)) };
  };
  const read = (await reader.liveDataFiles(metadata, fresh)).map(narrowed);
  const files = read.flatMap(({ entries }) => entries.map(({ file }) => file)).filter(({ path }) => wide.has(path));
  const instead = await narrowFiles.narrow({ table, before, retyped }, files);
  const removed = new Set(instead.keys());
  const rewritten = read.filter(
    ({ file, entries }) => isWide(file) || entries.some((entry) => removed.has(entry.file.path)),
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

async function manifestsOf({ metadata, io }: LoadedTable, snapshotId: string | null): Promise<ReadonlySet<string>> {
  const snapshot = metadata.snapshots?.find((one) => String(one['snapshot-id']) === snapshotId);
  if (snapshot === undefined) return new Set();
  return new Set(decodeManifestList(await io.read(snapshot['manifest-list'])).map(({ path }) => path));
}

function typesOf(fields: readonly PartitionValueField[]): string {
  return fields.map(({ resultType }) => resultType).join();
}

/** Truncating wraps around at the low end of an int, as Java's arithmetic does, and at that of a long it is another one. */
function withNarrowPartition(entry: ManifestEntry, fields: readonly PartitionValueField[]): ManifestEntry {
  const partition = fields.map(({ resultType }, at): IcebergValue | null => {
    const value = entry.file.partition[at] ?? null;
    return resultType === 'int' && typeof value === 'bigint' ? BigInt.asIntN(32, value) : value;
  });
  return { ...entry, file: { ...entry.file, partition } };
}
