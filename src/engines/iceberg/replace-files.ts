/** Which manifests lose which files when a snapshot replaces some: Iceberg spec, "Snapshots" (operation overwrite). */
import { manifestMayHaveRows, type ColumnRange } from './column-ranges.ts';
import type { DataFile } from './data-file.ts';
import { refuseToReplace, type Manifest, type ManifestReader } from './live-files.ts';
import type { LoadPlan } from './load-plan.ts';
import type { ManifestFile } from './manifest-file.ts';
import { partitionShape } from './partition-shapes.ts';
import { refuseWhileMigrated } from './refuse-while-migrated.ts';

export interface Replaced {
  removed: readonly DataFile[];
  added: readonly DataFile[];
}

/** How a mode of a load replaces rows of a table that may change meanwhile: each file of it is looked into once. */
export interface Replacement {
  /**
   * Where the rows are that it replaces: what is elsewhere is not even asked about.
   *
   * @param files of the load's own rows
   */
  ranges(plan: LoadPlan, files: readonly DataFile[]): readonly ColumnRange[];
  /** Which of the live files go, and what comes instead of their other rows. */
  replace(request: ReplaceRequest): Promise<Replaced>;
}

export interface ReplaceRequest {
  plan: LoadPlan;
  /** Of the load's own rows. */
  files: readonly DataFile[];
  live: readonly DataFile[];
  /** Gets the URI of each new file. */
  uncommitted: string[];
  signal: AbortSignal;
}

/** What a snapshot makes of the manifests of the one before it. */
export interface FileChange {
  added: readonly DataFile[];
  /** Paths of the files that go. */
  removed: ReadonlySet<string>;
  /** Manifests that lose some of their files. */
  rewritten: readonly Manifest[];
  /** Manifests that stay as they are. */
  kept: readonly ManifestFile[];
}

/**
 * @param replacement undefined: all files go
 * @throws EngineError `UnsupportedError` for a table with delete files, `UnavailableError` while its schema is migrated
 */
export async function replaceFiles(
  { plan, files, uncommitted, signal }: Omit<ReplaceRequest, 'live'>,
  replacement: Replacement | undefined,
  manifests: readonly ManifestFile[],
  reader: ManifestReader,
): Promise<FileChange> {
  refuseToReplace(manifests);
  const { metadata } = plan.table;
  refuseWhileMigrated(metadata);
  const ranges = replacement?.ranges(plan, files) ?? [];
  const concerned = manifests.filter((manifest) =>
    manifestMayHaveRows(manifest, partitionShape(metadata, manifest.specId, plan.schema).fields, ranges),
  );
  const read = await reader.liveDataFiles(metadata, concerned);
  const live = read.flatMap(({ entries }) => entries.map((entry) => entry.file));
  const replaced = (await replacement?.replace({ plan, files, live, uncommitted, signal })) ?? {
    removed: live,
    added: [],
  };
  const removed = new Set(replaced.removed.map((file) => file.path));
  const rewritten = read.filter(({ entries }) => entries.some((entry) => removed.has(entry.file.path)));
  const changed = new Set(rewritten.map(({ file }) => file.path));
  return {
    added: [...files, ...replaced.added],
    removed,
    rewritten,
    kept: manifests.filter(({ path }) => !changed.has(path)),
  };
}
