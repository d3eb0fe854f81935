import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Dataset } from '../engines/dataset.ts';
import { datasetFiles } from '../engines/duckdb/dataset-files.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../engines/duckdb/quote.ts';
import { type FileRoots, resolveReadableFiles } from '../engines/sources/file-roots.ts';
import { EngineError } from '../errors.ts';

/**
 * The dataset at the URI that a job returned as its output (spec section 3): a folder of Parquet files, or one of them,
 * in the job's own folder or where pipelines may read files.
 *
 * @param jobFolder absolute; where the job was asked to leave its output
 * @throws EngineError `ValidationError` when there is none; `PermissionDeniedError` for one that lies elsewhere
 */
export async function returnedOutput(
  duckdb: DuckDbEngine,
  uri: string,
  { jobFolder, roots }: { jobFolder: string; roots: FileRoots },
  signal: AbortSignal,
): Promise<Dataset> {
  const path = localPath(uri);
  const found = await stat(path).catch(() => undefined);
  const isFolder = found?.isDirectory() === true;
  const first = isFolder ? (await readdir(path)).find((name) => name.endsWith('.parquet')) : '';
  if (found === undefined || first === undefined) {
    throw new EngineError('ValidationError', `the job returned ${uri} as its output, and there are no Parquet files`);
  }
  const allowed = roots.roots === 'any' ? roots : { ...roots, roots: [...roots.roots, jobFolder] };
  await resolveReadableFiles(join(path, first), allowed);

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
    throw new EngineError('ValidationError', `the job returned ${uri} as its output; expected a file:///… URI`);
  }
}
