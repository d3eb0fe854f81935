/** `run_flink_statement`: one INSERT as a Flink job, which is handed its inputs' folders and leaves its output. */
import { fileURLToPath } from 'node:url';
import { flinkStatements } from '../engines/flink/flink-statements.ts';
import { nameParquetFiles, nameParquetObjects } from '../engines/flink/name-parquet-files.ts';
import { type Flink, runJob, stopJobs } from '../engines/flink/run-job.ts';
import { jobPrefix } from '../engines/job-name.ts';
import { isS3Uri, parseS3Uri } from '../engines/s3/s3-address.ts';
import { verbatimUri } from '../engines/verbatim-uri.ts';
import { EngineError } from '../errors.ts';
import { jobOutput, type OutputReaders } from './job-output.ts';
import { inputFolders } from './pipeline-context.ts';
import { remoteStepActivity } from './remote-step.ts';
import type { StepDependencies, StepWork } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export interface FlinkDependencies extends StepDependencies, OutputReaders {
  /** Undefined while FLINK_SQL_GATEWAY_URL and FLINK_REST_URL are not set. */
  flink: Flink | undefined;
}

export function createRunFlinkStatement({ flink, ...dependencies }: FlinkDependencies) {
  return remoteStepActivity(dependencies, {
    async work(step) {
      const { statement } = transformationOf(step, 'flink');
      const { context, run, jobFolder } = step;
      const { jobName, url } = await runJob(
        configured(flink),
        {
          prefix: prefixOf(step),
          statementsOf: async (name) => {
            const folders = Object.entries(await inputFolders(step));
            const inputs = Object.fromEntries(folders.map(([input, uri]) => [input, verbatimUri(uri)]));
            const output = verbatimUri((await jobFolder(name)).uri);
            return flinkStatements(statement, { parameters: run.parameters, inputs, output });
          },
          hasOutput: async (name) => (await (await jobFolder(name)).list('')).some((file) => !file.startsWith('.')),
          started: step.link,
        },
        context,
      );
      const { uri } = await jobFolder(jobName);
      if (dependencies.s3 !== undefined && isS3Uri(uri))
        await nameParquetObjects(dependencies.s3.objects, parseS3Uri(uri));
      else await nameParquetFiles(fileURLToPath(uri));
      const output = await jobOutput(dependencies, uri, context.signal);
      return { externalUrl: url, ...(output && produced(output)) };
    },

    async stop(step) {
      await stopJobs(configured(flink), prefixOf(step), step.context);
    },
  });
}

function configured(flink: Flink | undefined): Flink {
  if (flink !== undefined) return flink;
  throw new EngineError('UnavailableError', 'this worker has no FLINK_SQL_GATEWAY_URL and FLINK_REST_URL');
}

function prefixOf({ run, input }: StepWork): string {
  return jobPrefix(run.row.workflowId, input.step);
}
