import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Dataset } from '../engines/dataset.ts';
import { datasetFiles } from '../engines/duckdb/dataset-files.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../engines/duckdb/quote.ts';
import { isBelow, isS3Uri, parseS3Uri, s3Uri } from '../engines/s3/s3-address.ts';
import { type FileRoots, resolveReadableFiles } from '../engines/sources/file-roots.ts';
import { checkInsideS3Roots } from '../engines/sources/s3-roots.ts';
import { EngineError } from '../errors.ts';
import { jobOutput, type OutputReaders } from './job-output.ts';

interface Allowed {
  /** URI, ends with `/`: where the job was asked to leave its output. */
  jobFolder: string;
  roots: FileRoots;
}

/**
 * The dataset at the URI that a job returned as its output (spec section 3): a folder of Parquet files, or one of them,
 * in the job's own folder or where pipelines may read files.
 *
 * @throws EngineError `ValidationError` when there is none; `PermissionDeniedError` for one that lies elsewhere
 */
export async function returnedOutput(
  readers: OutputReaders,
  uri: string,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<Dataset> {
  const found = isS3Uri(uri)
    ? await returnedObjects(readers, uri, allowed, signal)
    : await returnedFiles(readers.duckdb, uri, allowed, signal);
  if (found !== undefined) return found;
  throw new EngineError('ValidationError', `the job returned ${uri} as its output, and there are no Parquet files`);
}

/** Of a folder when it says so, `…/`, or ends in no `.parquet`. */
async function returnedObjects(
  readers: OutputReaders,
  uri: string,
  { jobFolder, roots }: Allowed,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  const named = s3Uri(parseS3Uri(/(\/|\.parquet)$/.test(uri) ? uri : `${uri}/`));
  const own = isS3Uri(jobFolder) && isBelow(parseS3Uri(named), parseS3Uri(jobFolder));
  if (!own) checkInsideS3Roots(parseS3Uri(named), roots);
  return jobOutput(readers, named, signal);
}

async function returnedFiles(
  duckdb: DuckDbEngine,
  uri: string,
  { jobFolder, roots }: Allowed,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  const path = localPath(uri);
  const found = await stat(path).catch(() => undefined);
  const isFolder = found?.isDirectory() === true;
  const first = isFolder ? (await readdir(path)).find((name) => name.endsWith('.parquet')) : '';
  if (found === undefined || first === undefined) return undefined;
  const own = isS3Uri(jobFolder) ? [] : [fileURLToPath(jobFolder)];
  await resolveReadableFiles(
    join(path, first),
    roots.roots === 'any' ? roots : { ...roots, roots: [...roots.roots, ...own] },
  );

  const named = pathToFileURL(isFolder ? join(path, '/') : path).href;
  const files = await datasetFiles({ uri: named, rows: 0, bytes: 0 });
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const list = files.map(quoteLiteral).join(', ');
  const [counted] = await duckdb.withSession({ signal, readable: isFolder ? [join(path, '/')] : files }, (session) =>
    session.rows(`SELECT sum(num_rows)::DOUBLE AS row_count FROM parquet_file_metadata([${list}])`),
  );
  return { uri: named, rows: Number(counted?.['row_count'] ?? 0), bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

function localPath(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch {
    throw new EngineError(
      'ValidationError',
      `the job returned ${uri} as its output; expected a file:///… or s3://… URI`,
    );
  }
}
