/** The one object that an engine which is handed no tables gets instead (spec section 3, "Data to and from engines"). */
import { symlink } from 'node:fs/promises';
import type { Dataset } from '../engines/dataset.ts';
import { datasetFiles } from '../engines/duckdb/dataset-files.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import { EngineError } from '../errors.ts';
import type { StepWork } from './step-activity.ts';
import { zonedIso } from '../schemas/zoned-clock.ts';

export interface PipelineContext {
  executionId: string;
  /** `transform:daily` */
  step: string;
  /** By source and transformation: URI of a folder of Parquet files, ending with `/`. */
  inputs: Record<string, string>;
  /** URI of the folder, ending with `/`, in which the step leaves its own. */
  output: string;
  /** ISO 8601 with the offset of the pipeline's time zone; null in a run without an interval. */
  intervalStart: string | null;
  intervalEnd: string | null;
}

/**
 * @param output URI of the step's output folder
 * @param inputs as the engine finds them
 */
export async function pipelineContext(
  step: StepWork,
  output: string,
  inputs: StepWork['input']['inputs'] = step.input.inputs,
): Promise<PipelineContext> {
  const { row, document } = step.run;
  const timezone = document.definition.partitioning?.timezone ?? 'UTC';
  const zoned = (at: Date | null): string | null => (at === null ? null : zonedIso(at, timezone));
  return {
    executionId: row.executionId,
    step: step.input.step,
    inputs: await inputFolders(step, inputs),
    output,
    intervalStart: zoned(row.intervalStart),
    intervalEnd: zoned(row.intervalEnd),
  };
}

/** URIs of folders, by name. A single file that a source took where it lies is given as a folder that links to it. */
export async function inputFolders(
  step: StepWork,
  inputs: StepWork['input']['inputs'] = step.input.inputs,
): Promise<Record<string, string>> {
  const folders = Object.entries(inputs).map(
    async ([name, dataset]) => [name, await folderOf(step, name, dataset)] as const,
  );
  return Object.fromEntries(await Promise.all(folders));
}

async function folderOf({ jobFolder }: StepWork, name: string, dataset: Dataset): Promise<string> {
  if (dataset.uri.endsWith('/')) return dataset.uri;
  if (isS3Uri(dataset.uri)) {
    throw new EngineError(
      'UnsupportedError',
      `${name} is one object, ${dataset.uri}; this version hands engines folders on S3: let the step before return its folder`,
    );
  }
  const [file = ''] = await datasetFiles(dataset);
  const folder = await jobFolder(`input-${name}`);
  await symlink(file, folder.located('part-0.parquet')).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  return folder.uri;
}
