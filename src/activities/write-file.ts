/** `write_file`: rows into a file, complete or not at all. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { writeFileSink } from '../engines/sinks/file-sink.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { loadActivity } from './load-activity.ts';
import type { StepDependencies } from './step-activity.ts';
import { inputOf, loadNameOf, sinkOf } from './step-parts.ts';

export interface FileDependencies extends StepDependencies {
  duckdb: DuckDbEngine;
  roots: FileRoots;
  s3: S3Access | undefined;
}

export function createWriteFile(dependencies: FileDependencies) {
  const { duckdb, roots, s3 } = dependencies;
  return loadActivity(dependencies, (step) => {
    const sink = sinkOf(step, 'file');
    const { path, format } = sink;
    const request = { input: inputOf(step, sink), path, format, roots, s3, loadName: loadNameOf(step) };
    return writeFileSink(duckdb, request, step.context);
  });
}
