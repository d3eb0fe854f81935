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
 * @throws EngineError `ValidationError` for a file that is no Parquet
 */
export async function jobOutput(
  { duckdb, s3 }: OutputReaders,
  uri: string,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  if (!isS3Uri(uri)) return datasetAt(duckdb, fileURLToPath(uri), signal);
  if (s3 !== undefined) return datasetOnS3(duckdb, s3, uri, signal);
  throw new EngineError('UnavailableError', 'staging is on S3, and this worker has no S3_ENDPOINT and no AWS_REGION');
}
