import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Dataset } from '../engines/dataset.ts';
import { datasetAt } from '../engines/duckdb/dataset-at.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { datasetOnS3 } from '../engines/s3/dataset-on-s3.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import { EngineError } from '../errors.ts';

export interface OutputReaders {
  duckdb: DuckDbEngine;
  s3: S3Access | undefined;
}

/**
 * What a job left in a folder, wherever staging is; undefined when there is no Parquet file in it.
 *
 * @param uri ends with `/`
 * @throws EngineError `ValidationError` for a file that is no Parquet, and for files in folders below, whose columns are
 *   in part the folders' names
 */
export async function jobOutput(
  { duckdb, s3 }: OutputReaders,
  uri: string,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  if (!isS3Uri(uri)) {
    const folder = fileURLToPath(uri);
    refuseDeeper(uri, await namesBelow(folder));
    return datasetAt(duckdb, folder, signal);
  }
  if (s3 !== undefined) {
    return datasetOnS3(duckdb, s3, uri, signal, (names) => {
      if (uri.endsWith('/')) refuseDeeper(uri, names);
    });
  }
  throw new EngineError('UnavailableError', 'staging is on S3, and this worker has no S3_ENDPOINT and no AWS_REGION');
}

async function namesBelow(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
}

/** Hidden folders, and those with `_` in front, are what engines leave of work that they gave up. */
function refuseDeeper(uri: string, names: readonly string[]): void {
  const deep = names.filter((name) => /^(?!.*(^|\/)[._]).+\/[^/]+\.parquet$/s.test(name));
  if (deep.length === 0) return;
  const told = `${deep.length} Parquet files lie in folders below ${uri}, such as ${deep[0] ?? ''}`;
  throw new EngineError('ValidationError', `${told}; expected all in the one folder (without partitionBy)`);
}
