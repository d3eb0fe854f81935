/**
 * Parquet files that another engine wrote by a plan of ours (`LoadPlan`: its columns with their field ids, each file of
 * one partition) become data files of the table. What the manifests say of them is read from the files' footers, so
 * that nothing is taken from the other engine's word: Iceberg spec, "Manifests", `data_file`.
 */
import { copyFile, link } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import type { DataFile } from './data-file.ts';
import { partitionsOf } from './footer-partitions.ts';
import { readFooters } from './parquet-footers.ts';
import { publishFiles } from './write-data-files.ts';
import { checkRequired, filePlace, type LoadToWrite, withScratchFolder } from './written-load.ts';

/** As many as `writeParquet` makes at most. */
const MAX_FILES = 10_000;

/**
 * @param paths local and absolute; they stay, so that another attempt can take them again
 * @throws EngineError `UnsupportedError` for a file that does not tell its partition; `ValidationError` when a column
 *   that the table requires has no value in some row
 */
export async function adoptFiles(
  { plan, uncommitted, signal }: Pick<LoadToWrite, 'plan' | 'uncommitted' | 'signal'>,
  paths: readonly string[],
  duckdb: DuckDbEngine,
): Promise<DataFile[]> {
  if (paths.length > MAX_FILES) {
    throw new EngineError('UnsupportedError', `the load has ${paths.length} files; at most ${MAX_FILES} are committed`);
  }
  return withScratchFolder(plan.table, async (scratchFolder) => {
    const linked = await Promise.all(paths.map((path, at) => placed(path, join(scratchFolder, `${at}.parquet`))));
    return duckdb.withSession(
      { signal, readable: [...linked, scratchFolder], writable: [scratchFolder] },
      async (session) => {
        const columns = plan.columns.map((field) => ({ field, sql: '' }));
        const written = await readFooters(session, linked, { type: 'struct', fields: plan.columns });
        const partitions = await partitionsOf(session, written, plan);
        const place = filePlace(plan, scratchFolder, uncommitted, signal);
        const files = await publishFiles(session, written, columns, (file) => partitions.get(file) ?? [], place);
        checkRequired(plan, files);
        return files;
      },
    );
  });
}

/** A second name where the file systems are one, else a copy. */
async function placed(from: string, to: string): Promise<string> {
  await link(from, to).catch(async (error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    await copyFile(from, to);
  });
  return to;
}
