/** A `file` source read by Spark (spec section 3). */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { EngineError } from '../../../errors.ts';
import type { FileSource } from '../../../schemas/definition.ts';
import type { EngineContext } from '../../dataset.ts';
import type { DuckDbEngine } from '../../duckdb/duckdb-engine.ts';
import { csvOptions } from '../../sources/csv-reader.ts';
import { readerCall, readerOptions } from '../../sources/file-options.ts';
import { type FileRoots, type ResolvedFile, resolveReadableFiles } from '../../sources/file-roots.ts';
import type { Interval } from '../../sources/interval.ts';
import type { ComputeWork } from './spark-compute.ts';

/** Options of CSV that Spark has, by DuckDB's names. */
const SPARK_OPTION: Readonly<Record<string, string>> = {
  delim: 'sep',
  header: 'header',
  quote: 'quote',
  escape: 'escape',
  nullstr: 'nullValue',
};

/** What of a `file` source's options Spark has no counterpart for. */
export function unsupportedOptions({ format, options = {} }: FileSource): string[] {
  const known = Object.entries(readerOptions(format, options));
  return known.flatMap(([name, value]) =>
    format === 'csv' && Object.hasOwn(SPARK_OPTION, name) && typeof value !== 'object' ? [] : [name],
  );
}

export interface ExtractWork {
  source: FileSource;
  roots: FileRoots;
  interval?: Interval;
}

/** @throws EngineError `ValidationError` naming the file; `PermissionDeniedError` outside of the roots */
export async function extractWork(
  duckdb: DuckDbEngine,
  { source, roots, interval }: ExtractWork,
  { signal }: EngineContext,
): Promise<ComputeWork> {
  const files = await resolveReadableFiles(source.path, roots);
  for (const file of files) await refuseUnreadable(file);
  const paths = files.map(({ path }) => path);
  return {
    program: 'extract_files',
    format: source.format,
    paths,
    ...(source.format === 'csv' && { options: await csvFor(files, source) }),
    ...(source.format === 'json' && { columns: await columnOrder(duckdb, paths, signal) }),
    ...(interval && { interval: { column: interval.column, start: interval.startIso, end: interval.endIso } }),
  };
}

async function refuseUnreadable({ path, shown }: ResolvedFile): Promise<void> {
  if ((await stat(path)).size === 0) throw new EngineError('ValidationError', `${shown} is empty (0 bytes)`);
  // It would be read as if there were no such file.
  if (/^[._]/.test(basename(path))) {
    throw new EngineError('ValidationError', `${shown}: Spark passes over files whose name starts with . or _`);
  }
}

async function csvFor(files: readonly ResolvedFile[], source: FileSource): Promise<Record<string, string>> {
  const options = await csvOptions(files, readerOptions(source.format, source.options));
  return Object.fromEntries(
    Object.entries(SPARK_OPTION).flatMap(([name, spark]): [string, string][] => {
      const value = options[name];
      return typeof value === 'string' || typeof value === 'boolean' ? [[spark, String(value)]] : [];
    }),
  );
}

/** Of the first rows: Spark sorts the columns of JSON by name. */
async function columnOrder(duckdb: DuckDbEngine, paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  return duckdb.withSession({ signal, readable: paths }, async (session) => {
    const call = readerCall('read_json', paths, { union_by_name: true });
    const described = await session.rows(`DESCRIBE SELECT * FROM ${call}`);
    return described.map((row) => String(row['column_name']));
  });
}
