/**
 * How a step's work becomes one Spark job, whatever the cluster: standalone (`standalone-submitter.ts`) or Kubernetes
 * (`kubernetes-submitter.ts`). Either promises that of all the drivers that were ever submitted for a step at most one
 * at a time runs the application (spec section 2, "External jobs: exactly one").
 */
import type { JsonObject } from '../../schemas/json.ts';
import type { EngineContext } from '../dataset.ts';
import type { JobFolder } from '../job-folder.ts';
import { hadoopUri } from '../s3/s3-job-folder.ts';

/** The property that holds, as JSON, what the application works on (spec section 3, "Data to and from engines"). */
export const CONTEXT_PROPERTY = 'spark.pipeline.context';

/** What identifies the jobs of a step. */
export interface SparkStep {
  /** What their names start with; a number from 1 on follows, the generation. */
  prefix: string;
  /** The folder in staging of the job of that name: the same one in every attempt. */
  folderOf: (jobName: string) => Promise<JobFolder>;
}

export interface SparkJob extends SparkStep {
  /** A Python application: the absolute path of a file that the service reads, or a URI that the cluster resolves. */
  application: string;
  args: readonly string[];
  /** Spark's properties. */
  conf: Readonly<Record<string, string>>;
  /**
   * What the application is told in {@link CONTEXT_PROPERTY}.
   *
   * @param outputUri where it leaves its output; ends with `/`
   */
  contextOf: (outputUri: string) => Promise<JsonObject>;
  /** Told where people see the job, as soon as it is known and whenever it becomes known better. */
  started: (url: string) => Promise<void>;
}

/** A job that ended well. */
export interface FinishedSparkJob {
  jobName: string;
  url: string;
  /** Its own; what it left lies in `output/` there, which is not there when it left nothing. */
  folder: JobFolder;
  /** URI of that output, ends with `/`. */
  output: string;
}

export interface SparkSubmitter {
  /**
   * Finds the step's job or submits it, and waits until it has ended well. When `context.signal` aborts, only the
   * waiting ends; the job goes on.
   *
   * @throws EngineError `JobFailedError` with the end of the driver's log; `ValidationError` for an application or a
   *   property that cannot be; `UnavailableError` while nobody can tell
   */
  run(job: SparkJob, context: EngineContext): Promise<FinishedSparkJob>;
  /** Ends every job of the step that works or waits. Doing it again, or when there is none, is harmless. */
  stop(step: SparkStep, context: EngineContext): Promise<void>;
}

/** Spark's writers want to make the folder that they write to, so it lies below the job's own, and is not made here. */
export function outputUri(jobFolder: JobFolder): string {
  return `${jobFolder.uri}output/`;
}

/** The same as Spark finds it. */
export function outputForSpark(jobFolder: JobFolder): string {
  return hadoopUri(outputUri(jobFolder));
}
