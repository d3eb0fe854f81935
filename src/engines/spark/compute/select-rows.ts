import type { ParameterValue } from '../../../schemas/parameters.ts';
import type { S3Access } from '../../s3/s3-access.ts';
import type { Dataset } from '../../dataset.ts';
import { inputFiles } from './input-files.ts';
import type { ComputeWork } from './spark-compute.ts';
import { sparkQuery } from './spark-sql.ts';

/** One SELECT in Spark's SQL over a step's inputs (spec section 3, SQL). */
export async function selectWork(
  sql: string,
  parameters: Readonly<Record<string, ParameterValue>>,
  inputs: Readonly<Record<string, Dataset>>,
  s3: S3Access | undefined,
): Promise<ComputeWork> {
  return { program: 'select_rows', ...sparkQuery(sql, parameters), inputs: await inputFiles(inputs, s3) };
}
