/** `trigger_airflow_dag`: one run of a DAG in Airflow, which is handed references to its inputs and leaves its output. */
import type { AirflowClient } from '../engines/airflow/airflow-client.ts';
import { stopRuns } from '../engines/airflow/dag-runs.ts';
import { runDag } from '../engines/airflow/run-dag.ts';
import { jobPrefix } from '../engines/job-name.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { EngineError } from '../errors.ts';
import type { JsonObject } from '../schemas/json.ts';
import { jobOutput, type OutputReaders } from './job-output.ts';
import { pipelineContext } from './pipeline-context.ts';
import { remoteStepActivity } from './remote-step.ts';
import { returnedOutput } from './returned-output.ts';
import type { StepDependencies, StepWork } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export interface AirflowDependencies extends StepDependencies, OutputReaders {
  /** Undefined while AIRFLOW_URL is not set. */
  airflow: AirflowClient | undefined;
  roots: FileRoots;
}

export function createTriggerAirflowDag({ airflow, roots, ...dependencies }: AirflowDependencies) {
  return remoteStepActivity(dependencies, {
    async work(step) {
      const { dag_id: dagId, conf = {}, result_task: resultTask } = transformationOf(step, 'airflow');
      const { context } = step;
      const job = {
        ...runsOf(step, dagId),
        resultTask,
        confOf: async (runId: string) => withPipeline(conf, step, (await step.jobFolder(runId)).uri),
        started: step.link,
      };
      const { runId, url, result } = await runDag(configured(airflow), job, context);
      const jobFolder = (await step.jobFolder(runId)).uri;
      if (result === undefined) {
        const output = await jobOutput(dependencies, jobFolder, context.signal);
        return { externalUrl: url, ...(output && produced(output)) };
      }
      const output = await returnedOutput(dependencies, result.output, { jobFolder, roots }, context.signal);
      if (result.rows !== undefined && result.rows !== output.rows) {
        context.log('warn', `The task ${resultTask ?? ''} said ${result.rows} rows; ${output.rows} are there`);
      }
      return { externalUrl: url, ...produced(output) };
    },

    async stop(step) {
      const { dag_id: dagId } = transformationOf(step, 'airflow');
      const { executionId } = step.input;
      await stopRuns(configured(airflow), { ...runsOf(step, dagId), executionId }, step.context);
    },
  });
}

function configured(airflow: AirflowClient | undefined): AirflowClient {
  if (airflow !== undefined) return airflow;
  throw new EngineError('UnavailableError', 'this worker has no AIRFLOW_URL');
}

function runsOf({ run, input }: StepWork, dagId: string): { dagId: string; prefix: string } {
  return { dagId, prefix: jobPrefix(run.row.workflowId, input.step) };
}

/** The step's own conf, and what it works on beside it. */
async function withPipeline(conf: JsonObject, step: StepWork, outputUri: string): Promise<JsonObject> {
  if ('pipeline' in conf) {
    throw new EngineError('ValidationError', 'conf.pipeline: expected another key; the service itself fills this one');
  }
  return { ...conf, pipeline: { ...(await pipelineContext(step, outputUri)) } };
}
