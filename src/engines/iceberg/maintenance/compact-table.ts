/**
 * Small files become large ones, in the embedded engine: the files are written first, then one commit with the operation
 * `replace` swaps them in (Iceberg spec, "Snapshots"), if all that it replaces is still there. Rows that others appended
 * meanwhile are kept: the commit is built on what they left. Of files that others replaced meanwhile nothing is done.
 */
import { EngineError } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import type { DuckDbEngine } from '../../duckdb/duckdb-engine.ts';
import { type IcebergCatalog, type LoadedTable, parseTableIdentifier, type TableIdentifier } from '../catalog.ts';
import { deleteFiles } from '../commit-load.ts';
import type { DataFile } from '../data-file.ts';
import { refuseToReplace } from '../live-files.ts';
import type { LoadPlan } from '../load-plan.ts';
import { bindSpec } from '../partition-spec.ts';
import type { ManifestFile } from '../manifest-file.ts';
import { refuseWhileMigrated } from '../refuse-while-migrated.ts';
import { type FileChange, replaceFiles } from '../replace-files.ts';
import { currentSchema, currentSnapshot, defaultSpec, type Snapshot } from '../table-metadata.ts';
import { checkNestedNames } from '../table-rows.ts';
import { writeSnapshot } from '../write-snapshot.ts';
import { commitNamed, type PreparedCommit, requireTable } from './commit-named.ts';
import { type CompactionSizes, type FileGroup, planCompaction } from './compaction-plan.ts';
import { rewriteGroup } from './rewrite-group.ts';

/** In the summary of the snapshot that a maintenance made: whoever tries it again finds it. */
const MAINTENANCE_SUMMARY_KEY = 'pipeline.maintenance-id';

export interface CompactionRequest extends CompactionSizes {
  maintenanceId: string;
  table: string;
}

export interface CompactionResult {
  rewrittenFiles: number;
  rewrittenBytes: number;
  addedFiles: number;
  addedBytes: number;
  /** In digits; null when there was nothing to rewrite. */
  snapshotId: string | null;
}

interface CompactionParts {
  catalog: IcebergCatalog;
  duckdb: DuckDbEngine;
}

interface Rewrite {
  removed: FileGroup;
  added: readonly DataFile[];
}

interface Replacement extends PreparedCommit {
  snapshotId: string;
  /** Paths of the new files in it. */
  used: ReadonlySet<string>;
}

/** How often it is planned anew because others replaced all that was rewritten, or changed the table's shape. */
const MAX_PLANS = 5;

/**
 * @throws EngineError `UnsupportedError` for a table whose files this engine must not replace, in words that name the
 *   engine that can; `ValidationError`, `CommitConflictError`, `UnavailableError` as {@link commitNamed}; `signal.reason`
 */
export async function compactTable(
  request: CompactionRequest,
  parts: CompactionParts,
  context: EngineContext,
): Promise<CompactionResult> {
  const identifier = parseTableIdentifier(request.table);
  for (let plans = 1; plans <= MAX_PLANS; plans += 1) {
    const result = await planAndCommit(request, identifier, parts, context);
    if (result !== 'outdated') {
      context.progress(1);
      return result;
    }
    context.log('warn', 'others replaced the files, or changed the shape of the table; planning anew');
  }
  throw new EngineError('CommitConflictError', `others kept replacing the files of ${request.table}`);
}

async function planAndCommit(
  request: CompactionRequest,
  identifier: TableIdentifier,
  { catalog, duckdb }: CompactionParts,
  context: EngineContext,
): Promise<CompactionResult | 'outdated'> {
  const { signal } = context;
  const table = await requireTable(catalog, identifier);
  const before = findCompaction(table, request.maintenanceId);
  if (before !== undefined) return before;
  const plan = planOf(table);
  const groups = planCompaction(await filesOfSpec(plan, context), request);
  if (groups.length === 0) return NOTHING;
  checkNestedNames(table.metadata.schemas, plan.schema);
  const uncommitted: string[] = [];
  try {
    const rewrites: Rewrite[] = [];
    let last: Replacement | undefined;
    for (const group of groups) {
      const how = { plan, targetFileSizeBytes: request.targetFileSizeBytes, uncommitted, signal };
      rewrites.push({ removed: group, added: await rewriteGroup(group, how, duckdb) });
      context.progress((0.9 * rewrites.length) / groups.length);
    }
    const committed = await commitNamed(
      {
        catalog,
        identifier,
        find: (now) => findCompaction(now, request.maintenanceId),
        prepare: async (now) => {
          last = await prepareReplacement({ ...plan, table: now }, plan.table, rewrites, request.maintenanceId, signal);
          return last;
        },
        doubted: () => {
          uncommitted.length = 0;
        },
      },
      context,
    );
    if (committed === undefined) {
      await deleteFiles(uncommitted, table.io);
      return 'outdated';
    }
    // Those whose old files others had replaced; all of them when it was another attempt that committed.
    const used = committed.left.snapshotId === last?.snapshotId ? last.used : new Set<string>();
    await deleteFiles(
      uncommitted.filter((uri) => !used.has(uri)),
      table.io,
    );
    return committed.left;
  } catch (error) {
    await deleteFiles(uncommitted, table.io);
    throw error;
  }
}

const NOTHING: CompactionResult = {
  rewrittenFiles: 0,
  rewrittenBytes: 0,
  addedFiles: 0,
  addedBytes: 0,
  snapshotId: null,
};

/** What a compaction of this name committed; whichever engine did it. */
function findCompaction({ metadata }: LoadedTable, maintenanceId: string): CompactionResult | undefined {
  const snapshot = metadata.snapshots?.find(({ summary }) => summary[MAINTENANCE_SUMMARY_KEY] === maintenanceId);
  if (snapshot === undefined) return undefined;
  const told = (key: string) => Number(snapshot.summary[key] ?? 0);
  return {
    rewrittenFiles: told('deleted-data-files'),
    rewrittenBytes: told('removed-files-size'),
    addedFiles: told('added-data-files'),
    addedBytes: told('added-files-size'),
    snapshotId: String(snapshot['snapshot-id']),
  };
}

/**
 * Live ones of the current partition spec. Those of older specs are left as they are: loads that replace their rows write
 * them anew by and by.
 *
 * @throws EngineError `UnsupportedError`
 */
async function filesOfSpec({ table, spec }: LoadPlan, { log }: Pick<EngineContext, 'log'>): Promise<DataFile[]> {
  const files = await liveFiles(table, await manifestsToReplace(table));
  const ofSpec = files.filter(({ specId }) => specId === spec['spec-id']);
  const older = files.length - ofSpec.length;
  if (older > 0) log('info', `${older} files of older partition specs are left as they are`);
  return ofSpec;
}

/** @throws EngineError `UnsupportedError` */
async function manifestsToReplace({ metadata, manifests: reader }: LoadedTable): Promise<readonly ManifestFile[]> {
  refuseWhileMigrated(metadata);
  const manifests = await reader.currentManifests(metadata);
  try {
    refuseToReplace(manifests);
  } catch (error) {
    if (!(error instanceof EngineError) || error.type !== 'UnsupportedError') throw error;
    throw new EngineError('UnsupportedError', 'the table has delete files: compact it with engine spark');
  }
  return manifests;
}

async function liveFiles(
  { metadata, manifests: reader }: LoadedTable,
  manifests: readonly ManifestFile[],
): Promise<DataFile[]> {
  const read = await reader.liveDataFiles(metadata, manifests);
  return read.flatMap(({ entries }) => entries.map(({ file }) => file));
}

/** How its own rows go into the table again. */
function planOf(table: LoadedTable): LoadPlan {
  const [schema, spec] = [currentSchema(table.metadata), defaultSpec(table.metadata)];
  const fields = bindSpec(spec, schema);
  return { table, schema, spec, fields, columns: schema.fields, requirements: [], updates: [] };
}

/**
 * Undefined when all that was rewritten is gone, or the files do not fit the table any more.
 *
 * @param plan for the table as it is now
 */
async function prepareReplacement(
  plan: LoadPlan,
  writtenFor: LoadedTable,
  rewrites: readonly Rewrite[],
  maintenanceId: string,
  signal: AbortSignal,
): Promise<Replacement | undefined> {
  const { table } = plan;
  const { metadata, io } = table;
  const sameShape =
    metadata['table-uuid'] === writtenFor.metadata['table-uuid'] &&
    metadata['current-schema-id'] === plan.schema['schema-id'] &&
    metadata['default-spec-id'] === plan.spec['spec-id'];
  const parent = currentSnapshot(metadata);
  if (!sameShape || parent === undefined) return undefined;
  const manifests = await manifestsToReplace(table);
  const live = new Set((await liveFiles(table, manifests)).map(({ path }) => path));
  const intact = rewrites.filter(({ removed }) => removed.every(({ path }) => live.has(path)));
  if (intact.length === 0) return undefined;
  const replaced = {
    removed: intact.flatMap(({ removed }) => removed),
    added: intact.flatMap(({ added }) => added),
  };
  const change: FileChange = await replaceFiles(
    { plan, files: [], uncommitted: [], signal },
    { ranges: () => [], replace: () => Promise.resolve(replaced) },
    manifests,
    table.manifests,
  );
  const written: string[] = [];
  let snapshot: Snapshot;
  try {
    const summary = { operation: 'replace', [MAINTENANCE_SUMMARY_KEY]: maintenanceId };
    snapshot = await writeSnapshot({ plan, change, summary, reader: table.manifests, written });
  } catch (error) {
    await deleteFiles(written, io);
    throw error;
  }
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      // Whatever others do to the files is a new snapshot: with the same one, all that is replaced is still there.
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent['snapshot-id'] },
      { type: 'assert-current-schema-id', 'current-schema-id': plan.schema['schema-id'] },
      { type: 'assert-default-spec-id', 'default-spec-id': plan.spec['spec-id'] },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
    ],
    written,
    snapshotId: String(snapshot['snapshot-id']),
    used: new Set(change.added.map(({ path }) => path)),
  };
}
