/** `write_file`: rows into a file, complete or not at all. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { writeFileSink } from '../engines/sinks/file-sink.ts';
import type { WrittenFile } from '../engines/sinks/file-target.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { loadActivity, type LoadDependencies } from './load-activity.ts';
import type { StepWork } from './step-activity.ts';
import { inputOf, intervalToReplace, loadNameOf, sinkOf } from './step-parts.ts';

export interface FileDependencies extends LoadDependencies {
  duckdb: DuckDbEngine;
  roots: FileRoots;
  s3: S3Access | undefined;
}

export function createWriteFile(dependencies: FileDependencies) {
  return loadActivity(dependencies, (step) => loadFileSink(dependencies, step));
}

export function loadFileSink(
  { duckdb, roots, s3 }: Pick<FileDependencies, 'duckdb' | 'roots' | 's3'>,
  step: StepWork,
): Promise<WrittenFile> {
  const sink = sinkOf(step, 'file');
  const { path, format } = sink;
  const interval = intervalToReplace(step);
  const request = { input: inputOf(step, sink), path, format, roots, s3, loadName: loadNameOf(step), interval };
  return writeFileSink(duckdb, request, step.context);
}
