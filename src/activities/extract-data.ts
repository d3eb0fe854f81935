/** `extract_data`: a source's rows, as Parquet in staging. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { EgressGuard } from '../engines/egress-guard.ts';
import type { ApiHeader } from '../engines/sources/api-client.ts';
import { extractApi } from '../engines/sources/api-source.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { extractFile } from '../engines/sources/file-source.ts';
import { extractIceberg } from '../engines/sources/iceberg-source.ts';
import { extractJdbc } from '../engines/sources/jdbc-source.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import { extractWork } from '../engines/spark/compute/extract-file.ts';
import type { SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import { EngineError } from '../errors.ts';
import type { ApiSource } from '../schemas/api-source.ts';
import type { FileSource, IcebergSource, JdbcSource } from '../schemas/definition.ts';
import type { StepResult } from '../workflows/messages.ts';
import { rowsToRead, type WatermarkRange } from './rows-to-read.ts';
import type { SecretResolver } from './secrets.ts';
import { computedActivity, type ComputeDependencies } from './spark-compute-step.ts';
import { outputOnSpark } from './spark-output.ts';
import type { StepWork } from './step-activity.ts';
import { intervalOf, isOfPartition, produced, sourceOf } from './step-parts.ts';

export interface SourceDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
  roots: FileRoots;
  s3: S3Access | undefined;
  secrets: SecretResolver;
  egress: EgressGuard;
}

export type ExtractDependencies = ComputeDependencies & SourceDependencies;

export function createExtractData(dependencies: ExtractDependencies) {
  return computedActivity(dependencies, {
    here: (step) => extract(dependencies, step),
    onSpark: (step, compute) => extractOnSpark(dependencies, step, compute),
  });
}

async function extract(dependencies: ExtractDependencies, step: StepWork): Promise<StepResult> {
  const range = isOfPartition(step) ? undefined : await rowsToRead(dependencies, step, sourceOf(step));
  return extractSource(dependencies, step, range);
}

/** @param range of an incremental source; undefined: all its rows, or those of the interval */
export async function extractSource(
  dependencies: SourceDependencies,
  step: StepWork,
  range: WatermarkRange | undefined,
): Promise<StepResult> {
  const source = sourceOf(step);
  switch (source.type) {
    case 'file':
      return fromFile(dependencies, step, source);
    case 'jdbc':
      return fromDatabase(dependencies, step, source, range);
    case 'iceberg':
      return fromTable(dependencies, step, source);
    case 'api':
      return fromApi(dependencies, step, source);
    default:
      throw new EngineError('UnsupportedError', `sources of type ${source.type} are not available on this worker`);
  }
}

async function extractOnSpark(
  dependencies: ExtractDependencies,
  step: StepWork,
  compute: SparkCompute,
): Promise<StepResult> {
  const source = sourceOf(step);
  // Whatever only the service may reach, or has the secrets for, it reads itself; Spark goes on from staging.
  if (source.type !== 'file' || isS3Uri(source.path)) return extract(dependencies, step);
  if (!isOfPartition(step)) await rowsToRead(dependencies, step, source);
  const { duckdb, roots } = dependencies;
  const interval = intervalOf(step);
  const extraction = { source, roots, ...(interval && { interval }) };
  return outputOnSpark(dependencies, compute, step, () => extractWork(duckdb, extraction, step.context));
}

async function fromFile(
  { duckdb, roots, s3 }: SourceDependencies,
  step: StepWork,
  source: FileSource,
): Promise<StepResult> {
  const interval = intervalOf(step);
  const outputFolder = await step.newOutputFolder();
  return produced(
    await extractFile(duckdb, { source, roots, s3, outputFolder, ...(interval && { interval }) }, step.context),
  );
}

async function fromDatabase(
  { duckdb, roots, secrets }: SourceDependencies,
  step: StepWork,
  source: JdbcSource,
  range: WatermarkRange | undefined,
): Promise<StepResult> {
  const { tenant } = step.run.row;
  const interval = intervalOf(step);
  const { dataset, watermark } = await extractJdbc(
    duckdb,
    {
      source,
      connectionUrl: await secrets.resolve(tenant, source.connection),
      parameters: step.run.parameters,
      roots,
      outputFolder: await step.newOutputFolder(),
      ...(range?.from != null && { watermark: range.from }),
      ...(range?.upTo !== undefined && { upTo: range.upTo }),
      ...(interval && { interval }),
    },
    step.context,
  );
  if (range === undefined) return produced(dataset);
  const { column, from, upTo } = range;
  // What was read again ends where it ended before, even if the row with that watermark has gone since.
  const value = upTo === undefined ? (watermark ?? from) : upTo;
  if (value === null && dataset.rows > 0) {
    throw new EngineError(
      'ValidationError',
      `no row has a value in ${column}, so the next run could not tell which rows are new; expected a watermark_column that is filled`,
    );
  }
  return { ...produced(dataset), watermark: { source: step.name, column, from, value } };
}

async function fromApi(
  { duckdb, secrets, egress }: SourceDependencies,
  step: StepWork,
  source: ApiSource,
): Promise<StepResult> {
  const interval = intervalOf(step);
  const named = Object.entries(source.headers ?? {}).map(async ([name, written]): Promise<[string, ApiHeader]> => {
    const value = await secrets.resolve(step.run.row.tenant, written);
    return [name, { value, secret: written.includes('${secret:') }];
  });
  const headers = Object.fromEntries(await Promise.all(named));
  const outputFolder = await step.newOutputFolder();
  const extraction = { source, headers, egress, outputFolder, ...(interval && { interval }) };
  return produced(await extractApi(duckdb, extraction, step.context));
}

async function fromTable(
  { duckdb, catalog }: SourceDependencies,
  step: StepWork,
  source: IcebergSource,
): Promise<StepResult> {
  const interval = intervalOf(step);
  const outputFolder = await step.newOutputFolder();
  const extraction = { source, catalog, outputFolder, ...(interval && { interval }) };
  return produced(await extractIceberg(duckdb, extraction, step.context));
}
