import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { Dataset, FileReference } from '../dataset.ts';

/** Of the files of one dataset; DuckDB is told each by name. */
const MAX_FILES = 100_000;
const byNumberedName = new Intl.Collator('en', { numeric: true });

/**
 * The absolute paths of a dataset's Parquet files, in the order of their names, so that rows keep their order.
 *
 * @throws EngineError `ValidationError` when there are none, when something in the folder is no regular file (a link
 *   would lead out of it), or when a file taken by reference is another one now.
 */
export async function datasetFiles(dataset: Dataset): Promise<string[]> {
  const path = localPath(dataset.uri);
  if (dataset.reference !== undefined) {
    await verifyReference(path, dataset.reference);
    return [path];
  }
  return dataset.uri.endsWith('/') ? parquetFilesIn(path) : [path];
}

function localPath(uri: string): string {
  if (!uri.startsWith('file://')) {
    throw new EngineError('UnsupportedError', `cannot read ${uri.split(':')[0] ?? ''}: data, only file: data`);
  }
  return fileURLToPath(uri);
}

async function parquetFilesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const parquet = entries.filter((entry) => entry.name.endsWith('.parquet'));
  if (parquet.length === 0) {
    throw new EngineError('ValidationError', 'the step before left no Parquet files, so there is nothing to read');
  }
  if (parquet.length > MAX_FILES) {
    throw new EngineError('UnsupportedError', `${parquet.length} files in one dataset; at most ${MAX_FILES} are read`);
  }
  const irregular = parquet.find((entry) => !entry.isFile());
  if (irregular !== undefined) {
    throw new EngineError('ValidationError', `${irregular.name} is not a regular file; links and folders are not read`);
  }
  return parquet.map((entry) => join(folder, entry.name)).sort(byNumberedName.compare);
}

/**
 * Size and time are compared first; only when the time differs is the content read, since a file that was merely
 * touched or copied is still the same data.
 */
async function verifyReference(path: string, reference: FileReference): Promise<void> {
  const now = await stat(path, { bigint: true }).catch(() => undefined);
  const same =
    now?.size === BigInt(reference.sizeBytes) &&
    (String(now.mtimeNs) === reference.modifiedNs || (await sha256Of(path)) === reference.sha256);
  if (!same) {
    const fate = now === undefined ? 'is gone' : 'has changed';
    throw new EngineError('ValidationError', `${basename(path)} ${fate} since this run took it; start the run anew`);
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
