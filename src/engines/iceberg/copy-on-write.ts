/**
 * Copy-on-write: files that lose some of their rows are replaced by files with the others. Readers need no delete files
 * for it (Iceberg spec, "Row-level Deletes", the alternative to them).
 */
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DataFile } from './data-file.ts';
import { inParallel } from './in-parallel.ts';
import type { LoadPlan } from './load-plan.ts';
import { fileFolder } from './table-metadata.ts';
import { checkFieldIds, checkNestedNames, columnName, tableRows } from './table-rows.ts';
import { publishFiles, ROWS, type FilePlace } from './write-data-files.ts';
import { writeParquet } from './write-parquet.ts';
import { INPUT, withScratchFolder } from './written-load.ts';

/** What stands after the {@link ROWS} of the files, such as a join or a condition. */
interface RowChoice {
  /** Leaves the rows that go. */
  gone: string;
  /** Leaves the rows that stay. */
  kept: string;
}

export interface FilesToLookInto {
  plan: LoadPlan;
  files: readonly DataFile[];
  /** The rows of the load, which {@link RowChoice} may name {@link INPUT}. */
  input: Dataset;
  choice: RowChoice;
  /** Gets the URI of each new file. */
  uncommitted: string[];
  signal: AbortSignal;
}

/**
 * What each of the files is replaced by; null for those that lose nothing.
 *
 * @throws EngineError `UnsupportedError` for files that cannot be read
 */
export async function withoutRows(
  { plan, files, input, choice, uncommitted, signal }: FilesToLookInto,
  duckdb: DuckDbEngine,
): Promise<Map<string, readonly DataFile[] | null>> {
  const other = files.find((file) => file.format !== 'PARQUET');
  if (other !== undefined) {
    throw new EngineError('UnsupportedError', `rows cannot be replaced in ${other.format} data files`);
  }
  checkNestedNames(plan.table.metadata.schemas, plan.schema);
  return withScratchFolder(plan, async (scratchFolder) => {
    const paths = await inParallel(files, (file) => plan.table.io.localCopy(file.path, scratchFolder, signal));
    const request = {
      signal,
      inputs: { [INPUT]: input },
      readable: [...paths, scratchFolder],
      writable: [scratchFolder],
    };
    return duckdb.withSession(request, async (session) => {
      await checkFieldIds(session, paths);
      const losing = await losingRows(session, plan, paths, choice);
      const replacements = new Map<string, readonly DataFile[] | null>(
        files.map((file, at) => [file.path, losing.has(at) ? [] : null]),
      );
      if (losing.size === 0) return replacements;
      const old = files.map((file, at) => ({ file, path: paths[at] ?? '' })).filter((_, at) => losing.has(at));
      const { io, metadata } = plan.table;
      const place = { io, dataFolder: fileFolder(metadata, 'data'), scratchFolder, uncommitted, signal };
      for (const [path, rewritten] of await writeSurvivors(session, plan, old, choice, place)) {
        replacements.set(path, rewritten);
      }
      return replacements;
    });
  });
}

/** Positions of the files that lose rows. */
async function losingRows(
  session: DuckDbSession,
  plan: LoadPlan,
  paths: readonly string[],
  { gone }: RowChoice,
): Promise<Set<number>> {
  const rows = await session.rows(
    `SELECT DISTINCT ${ROWS}.file_index::INTEGER AS position FROM ${tableRows(paths, plan.schema)} AS ${ROWS} ${gone}`,
  );
  return new Set(rows.map((row) => row['position'] as number));
}

/** New files with the rows that stay, by the path of the file they were in. */
async function writeSurvivors(
  session: DuckDbSession,
  plan: LoadPlan,
  old: readonly { file: DataFile; path: string }[],
  { kept }: RowChoice,
  place: FilePlace,
): Promise<Map<string, DataFile[]>> {
  const paths = old.map(({ path }) => path);
  const columns = plan.schema.fields.map((field) => ({ field, sql: `${ROWS}.${columnName(field.id)}` }));
  const written = await writeParquet(session, {
    relation: `${tableRows(paths, plan.schema)} AS ${ROWS} ${kept}`,
    columns,
    keys: [`${ROWS}.file_index`],
    clustered: true,
    folder: place.scratchFolder,
  });
  const indexOf = (file: { keys: (string | null)[] }) => Number(file.keys[0]);
  const published = await publishFiles(
    session,
    written,
    columns,
    (file) => old[indexOf(file)]?.file.partition ?? [],
    place,
  );
  const byPath = new Map<string, DataFile[]>();
  for (const [at, file] of published.entries()) {
    const from = written[at] === undefined ? undefined : old[indexOf(written[at])];
    if (from !== undefined) byPath.set(from.file.path, [...(byPath.get(from.file.path) ?? []), file]);
  }
  return byPath;
}
