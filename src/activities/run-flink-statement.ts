/** `run_flink_statement`: one INSERT as a Flink job, which is handed its inputs' folders and leaves its output. */
import { readdir } from 'node:fs/promises';
import { datasetAt } from '../engines/duckdb/dataset-at.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { flinkStatements } from '../engines/flink/flink-statements.ts';
import { nameParquetFiles } from '../engines/flink/name-parquet-files.ts';
import { type Flink, runJob, stopJobs } from '../engines/flink/run-job.ts';
import { jobPrefix } from '../engines/job-name.ts';
import { EngineError } from '../errors.ts';
import { inputFolders } from './pipeline-context.ts';
import { remoteStepActivity } from './remote-step.ts';
import type { StepDependencies, StepWork } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export interface FlinkDependencies extends StepDependencies {
  /** Undefined while FLINK_SQL_GATEWAY_URL and FLINK_REST_URL are not set. */
  flink: Flink | undefined;
  duckdb: DuckDbEngine;
}

export function createRunFlinkStatement({ flink, duckdb, ...dependencies }: FlinkDependencies) {
  return remoteStepActivity(dependencies, {
    async work(step) {
      const { statement } = transformationOf(step, 'flink');
      const { context, run, jobFolder } = step;
      const { jobName, url } = await runJob(
        configured(flink),
        {
          prefix: prefixOf(step),
          statementsOf: async (name) => {
            const inputs = await inputFolders(step);
            const output = (await jobFolder(name)).uri;
            return flinkStatements(statement, { parameters: run.parameters, inputs, output });
          },
          hasOutput: async (name) =>
            (await readdir((await jobFolder(name)).path)).some((file) => !file.startsWith('.')),
          started: step.link,
        },
        context,
      );
      const { path } = await jobFolder(jobName);
      await nameParquetFiles(path);
      const output = await datasetAt(duckdb, path, context.signal);
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
