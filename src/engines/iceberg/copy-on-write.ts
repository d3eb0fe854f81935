/**
 * Copy-on-write: files that lose some of their rows are replaced by files with the others. Readers need no delete files
 * for it (Iceberg spec, "Row-level Deletes", the alternative to them). What is written is partitioned as the table is now.
 */
import { mkdir } from 'node:fs/promises';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DataFile } from './data-file.ts';
import { inParallel } from './in-parallel.ts';
import type { LoadPlan } from './load-plan.ts';
import { registerHashFunctions } from './partition-key.ts';
import { checkFieldIds, checkNestedNames, columnName, tableRows } from './table-rows.ts';
import { publishFiles, ROWS, writePartitioned, type FilePlace } from './write-data-files.ts';
import { writeParquet, type ParquetColumn } from './write-parquet.ts';
import { filePlace, INPUT, withScratchFolder } from './written-load.ts';

/** What stands after the {@link ROWS} of the files, such as a join or a condition. */
interface RowChoice {
  /** Leaves the rows that go. */
  gone: string;
  /** Leaves the rows that stay. */
  kept: string;
}

/** A data file, and where it can be read here. */
interface OldFile {
  file: DataFile;
  path: string;
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
  return withScratchFolder(plan.table, async (scratchFolder) => {
    const paths = await inParallel(files, (file) => plan.table.io.localCopy(file.path, scratchFolder, signal));
    const request = {
      signal,
      inputs: { [INPUT]: input },
      readable: [...paths, scratchFolder],
      writable: [scratchFolder],
    };
    return duckdb.withSession(request, async (session) => {
      if (plan.fields.some((field) => field.transform.kind === 'bucket')) registerHashFunctions(session);
      await checkFieldIds(session, paths);
      const losing = await losingRows(session, plan, paths, choice);
      const replacements = new Map<string, readonly DataFile[] | null>(
        files.map((file, at) => [file.path, losing.has(at) ? [] : null]),
      );
      if (losing.size === 0) return replacements;
      const old = files.map((file, at) => ({ file, path: paths[at] ?? '' })).filter((_, at) => losing.has(at));
      const place = filePlace(plan, scratchFolder, uncommitted, signal);
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
  old: readonly OldFile[],
  choice: RowChoice,
  place: FilePlace,
): Promise<Map<string, DataFile[]>> {
  const ofSpec = old.filter(({ file }) => file.specId === place.specId);
  const ofOlder = old.filter(({ file }) => file.specId !== place.specId);
  const byPath = await writeAlike(session, plan, ofSpec, choice, place);
  for (const [at, one] of ofOlder.entries()) {
    const scratchFolder = `${place.scratchFolder}${at}/`;
    await mkdir(scratchFolder);
    byPath.set(one.file.path, await writeAnew(session, plan, one, choice, { ...place, scratchFolder }));
  }
  return byPath;
}

/** Of files of the current spec: the new ones are of the same partitions. */
async function writeAlike(
  session: DuckDbSession,
  plan: LoadPlan,
  old: readonly OldFile[],
  { kept }: RowChoice,
  place: FilePlace,
): Promise<Map<string, DataFile[]>> {
  const byPath = new Map<string, DataFile[]>();
  if (old.length === 0) return byPath;
  const paths = old.map(({ path }) => path);
  const columns = columnsOf(plan);
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
  for (const [at, file] of published.entries()) {
    const from = written[at] === undefined ? undefined : old[indexOf(written[at])];
    if (from !== undefined) byPath.set(from.file.path, [...(byPath.get(from.file.path) ?? []), file]);
  }
  return byPath;
}

/** Of a file of an older spec: its rows are partitioned as the table is now. */
function writeAnew(
  session: DuckDbSession,
  plan: LoadPlan,
  { path }: OldFile,
  { kept }: RowChoice,
  place: FilePlace,
): Promise<DataFile[]> {
  const relation = `(SELECT ${ROWS}.* FROM ${tableRows([path], plan.schema)} AS ${ROWS} ${kept})`;
  const ids = new Map(plan.schema.fields.map(({ name, id }) => [name, id]));
  const sourceSql = (name: string) => `${ROWS}.${columnName(ids.get(name) ?? 0)}`;
  return writePartitioned(session, { relation, columns: columnsOf(plan) }, plan.fields, sourceSql, place);
}

function columnsOf({ schema }: LoadPlan): ParquetColumn[] {
  return schema.fields.map((field) => ({ field, sql: `${ROWS}.${columnName(field.id)}` }));
}
