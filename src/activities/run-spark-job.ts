/** `run_spark_job`: an application on a Spark cluster, which is handed references to its inputs and leaves its output. */
import { jobPrefix } from '../engines/job-name.ts';
import { hadoopUri } from '../engines/s3/s3-job-folder.ts';
import { type FileRoots, resolveReadableFiles } from '../engines/sources/file-roots.ts';
import { rowsOfInterval } from '../engines/sources/rows-of-interval.ts';
import type { SparkStep, SparkSubmitter } from '../engines/spark/spark-submitter.ts';
import { EngineError } from '../errors.ts';
import type { SparkSource } from '../schemas/definition.ts';
import { jobOutput, type OutputReaders } from './job-output.ts';
import { type PipelineContext, pipelineContext } from './pipeline-context.ts';
import { remoteStepActivity } from './remote-step.ts';
import type { StepDependencies, StepWork } from './step-activity.ts';
import { intervalOf, produced, sourceOf, transformationOf } from './step-parts.ts';

export interface SparkDependencies extends StepDependencies, OutputReaders {
  /** Undefined while neither SPARK_REST_URL nor SPARK_K8S_NAMESPACE is set. */
  spark: SparkSubmitter | undefined;
  roots: FileRoots;
}

export function createRunSparkJob({ spark, roots, ...dependencies }: SparkDependencies) {
  return remoteStepActivity(dependencies, {
    async work(step) {
      const { application, args = [], conf = {} } = applicationOf(step);
      const { context } = step;
      const { url, output } = await configured(spark).run(
        {
          ...jobsOf(step),
          application: await locate(application, roots),
          args,
          conf,
          contextOf: async (outputUri) => ({ ...(await contextForSpark(step, outputUri)) }),
          started: step.link,
        },
        context,
      );
      const left = await jobOutput(dependencies, output, context.signal);
      const interval = isSource(step) ? intervalOf(step) : undefined;
      if (left === undefined || interval === undefined) return { externalUrl: url, ...(left && produced(left)) };
      const within = await rowsOfInterval(dependencies.duckdb, left, interval, step.newOutputFolder, context.signal);
      return { externalUrl: url, ...produced(within) };
    },

    async stop(step) {
      await configured(spark).stop(jobsOf(step), step.context);
    },
  });
}

async function contextForSpark(step: StepWork, outputUri: string): Promise<PipelineContext> {
  const context = await pipelineContext(step, outputUri);
  const inputs = Object.entries(context.inputs).map(([name, uri]) => [name, hadoopUri(uri)]);
  return { ...context, inputs: Object.fromEntries(inputs) as Record<string, string> };
}

function isSource({ input }: StepWork): boolean {
  return input.step.startsWith('extract:');
}

function applicationOf(step: StepWork): Pick<SparkSource, 'application' | 'args' | 'conf'> {
  if (!isSource(step)) return transformationOf(step, 'spark');
  const source = sourceOf(step);
  if (source.type === 'spark') return source;
  throw new EngineError('ValidationError', `the source ${step.name} is of type ${source.type}, not spark`);
}

/** A file where pipelines may read files; or a URI, which only the cluster can resolve. */
async function locate(application: string, roots: FileRoots): Promise<string> {
  if (/^(?!file:)[a-z][a-z0-9+.-]*:\/\//i.test(application)) return application;
  const [file, ...more] = await resolveReadableFiles(application, roots);
  if (file !== undefined && more.length === 0) return file.path;
  throw new EngineError('ValidationError', `application ${application}: expected one file, got ${more.length + 1}`);
}

function jobsOf({ run, input, jobFolder }: StepWork): SparkStep {
  return { prefix: jobPrefix(run.row.workflowId, input.step), folderOf: jobFolder };
}

function configured(spark: SparkSubmitter | undefined): SparkSubmitter {
  if (spark !== undefined) return spark;
  throw new EngineError('UnavailableError', 'this worker has no SPARK_REST_URL and no SPARK_K8S_NAMESPACE');
}
