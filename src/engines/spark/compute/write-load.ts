/**
 * The rows of a load written by Spark as data files of the table, which the service then commits as it does its own
 * (`iceberg/commit-load.ts`): all modes, the load's name and the one commit are where they are for DuckDB.
 *
 * The files are right for one plan: the table's columns and partitioning as they were. When others changed them
 * meanwhile, the step's next piece of work writes the rows anew, after the one before has ended.
 */
import { glob, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import type { DuckDbEngine } from '../../duckdb/duckdb-engine.ts';
import { adoptFiles } from '../../iceberg/adopt-files.ts';
import type { LoadPlan } from '../../iceberg/load-plan.ts';
import type { BoundPartitionField } from '../../iceberg/partition-spec.ts';
import { isPrimitive, type IcebergType, parsePrimitive } from '../../iceberg/schema.ts';
import { inParallel } from '../../iceberg/in-parallel.ts';
import type { LoadWriter } from '../../iceberg/written-load.ts';
import { requireSpace } from '../../s3/require-space.ts';
import { isS3Uri, parseS3Uri } from '../../s3/s3-address.ts';
import type { S3Access } from '../../s3/s3-access.ts';
import type { ListedObject } from '../../s3/s3-objects.ts';
import type { JsonObject } from '../../../schemas/json.ts';
import { filesOf } from './input-files.ts';
import type { ComputeStep, ComputeWork, SparkCompute } from './spark-compute.ts';

/** How often the rows are written anew in one step, over all of its attempts. */
const MAX_PIECES = 20;

export interface SparkLoad {
  compute: SparkCompute;
  step: ComputeStep;
  duckdb: DuckDbEngine;
  s3: S3Access | undefined;
  context: EngineContext;
  /** Told where the job can be seen that wrote the files. */
  written: (url: string) => void;
}

export function sparkLoadWriter({ compute, step, duckdb, s3, context, written }: SparkLoad): LoadWriter {
  return async (load) => {
    const planned = describePlan(load.plan);
    for (let piece = 1; piece <= MAX_PIECES; piece += 1) {
      const describe = async (): Promise<ComputeWork> => {
        return { program: 'write_data_files', input: await filesOf(load.input, s3), ...planned };
      };
      const { work, output, url } = await compute.run(step, describe, context, piece);
      written(url);
      if (!isOfPlan(work, planned)) continue;
      return withOutput(output, s3, context, (paths) => adoptFiles(load, paths, duckdb));
    }
    throw new EngineError('CommitConflictError', 'the schema or the partitioning of the table kept changing');
  };
}

/** @throws EngineError `UnsupportedError` for columns and partitions that Spark's own Parquet writer cannot write */
function describePlan({ columns, fields }: LoadPlan): JsonObject {
  const present = new Set(columns.map(({ name }) => name));
  return {
    columns: columns.map(({ name, id, type }) => ({ name, id, type: sparkTypeOf(type, name) })),
    keys: fields.flatMap((field) => keyOf(field, present.has(field.source.name))),
  };
}

/** With the paths of what a job left, on S3 of copies that are there as long as `use` takes. */
async function withOutput<T>(
  output: string,
  s3: S3Access | undefined,
  { signal }: EngineContext,
  use: (paths: string[]) => Promise<T>,
): Promise<T> {
  if (!isS3Uri(output) || s3 === undefined) return use(await parquetFiles(fileURLToPath(output)));
  const { objects, scratch } = s3;
  const found: ListedObject[] = [];
  for await (const object of objects.list(parseS3Uri(output), signal)) {
    if (object.key.endsWith('.parquet')) found.push(object);
  }
  const folder = await scratch.newFolder();
  try {
    await requireSpace(found, folder);
    const copies = await inParallel([...found.entries()], async ([at, object]) => {
      const path = `${folder}${at}.parquet`;
      await objects.download(object, path, { etag: object.etag, signal });
      return path;
    });
    return await use(copies);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Also those in the folders of partitions. */
async function parquetFiles(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const name of glob('**/*.parquet', { cwd: folder })) paths.push(join(folder, name));
  return paths.sort();
}

function isOfPlan(work: ComputeWork, planned: JsonObject): boolean {
  return Object.entries(planned).every(([name, value]) => JSON.stringify(work[name]) === JSON.stringify(value));
}

function keyOf({ source, transform }: BoundPartitionField, present: boolean): JsonObject[] {
  const type = sparkTypeOf(source.type, source.name);
  switch (transform.kind) {
    case 'void':
      return [];
    case 'truncate':
      if (type === 'string' || type === 'int' || type === 'bigint') {
        return [{ transform: 'truncate', column: source.name, type, present, width: transform.width }];
      }
      break;
    case 'bucket':
      break;
    default:
      return [{ transform: transform.kind, column: source.name, type, present }];
  }
  throw new EngineError(
    'UnsupportedError',
    `compute: spark does not write tables partitioned by ${transform.kind} of ${source.name} (${type})`,
  );
}

function sparkTypeOf(type: IcebergType, column: string): string {
  if (isPrimitive(type)) {
    const { kind } = parsePrimitive(type);
    const spark = SPARK_TYPE[kind];
    if (spark !== undefined) return spark;
    if (kind === 'decimal') return type;
  }
  const described = isPrimitive(type) ? type : type.type;
  throw new EngineError(
    'UnsupportedError',
    `compute: spark does not write column ${column} of type ${described}; it writes plain columns, no uuid, no time`,
  );
}

const SPARK_TYPE: Partial<Record<ReturnType<typeof parsePrimitive>['kind'], string>> = {
  boolean: 'boolean',
  int: 'int',
  long: 'bigint',
  float: 'float',
  double: 'double',
  date: 'date',
  timestamp: 'timestamp_ntz',
  timestamptz: 'timestamp_ltz',
  string: 'string',
  binary: 'binary',
};
