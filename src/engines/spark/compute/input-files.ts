import { EngineError } from '../../../errors.ts';
import type { Dataset } from '../../dataset.ts';
import { datasetFiles } from '../../duckdb/dataset-files.ts';
import { parquetObjects } from '../../s3/dataset-on-s3.ts';
import { isS3Uri, parseS3Uri, s3Uri } from '../../s3/s3-address.ts';
import { hadoopUri } from '../../s3/s3-job-folder.ts';
import type { S3Access } from '../../s3/s3-access.ts';

/** The files of each input, as the cluster finds them: what Spark reads is what DuckDB would. */
export async function inputFiles(
  inputs: Readonly<Record<string, Dataset>>,
  s3: S3Access | undefined,
): Promise<Record<string, string[]>> {
  const entries = Object.entries(inputs).map(async ([name, dataset]) => [name, await filesOf(dataset, s3)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Of one dataset: absolute paths, or `s3a://` URIs. */
export async function filesOf(dataset: Dataset, s3: S3Access | undefined): Promise<string[]> {
  if (!isS3Uri(dataset.uri)) return datasetFiles(dataset);
  if (s3 === undefined) throw new EngineError('UnavailableError', 'this worker has no S3_ENDPOINT and no AWS_REGION');
  const objects = await parquetObjects(s3.objects, parseS3Uri(dataset.uri));
  if (objects.length > 0) return objects.map((object) => hadoopUri(s3Uri(object)));
  throw new EngineError('ValidationError', 'the step before left no Parquet files, so there is nothing to read');
}
