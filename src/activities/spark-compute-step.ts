/** Steps that a run with `compute: spark` has done on the cluster, and any other run in this process. */
import { jobPrefix } from '../engines/job-name.ts';
import type { ComputeStep, SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import { EngineError } from '../errors.ts';
import type { StepInput, StepResult } from '../workflows/messages.ts';
import { remoteStepActivity } from './remote-step.ts';
import type { StepDependencies, StepWork } from './step-activity.ts';

export interface ComputeDependencies extends StepDependencies {
  /** Undefined while no Spark is configured. */
  compute: SparkCompute | undefined;
}

export interface ComputedStep<T extends StepResult> {
  /** In this process. */
  here: (step: StepWork) => Promise<T>;
  onSpark: (step: StepWork, compute: SparkCompute) => Promise<T>;
}

export function computedActivity<T extends StepResult>(
  dependencies: ComputeDependencies,
  { here, onSpark }: ComputedStep<T>,
): (input: StepInput) => Promise<T> {
  return remoteStepActivity(dependencies, {
    work: (step) => (isOnSpark(step) ? onSpark(step, configured(dependencies)) : here(step)),
    stop: async (step) => {
      if (isOnSpark(step)) await configured(dependencies).stop(computeStepOf(step), step.context);
    },
  });
}

export function computeStepOf({ run, input, jobFolder, link }: StepWork): ComputeStep {
  const { workflowId, executionId } = run.row;
  const { step } = input;
  return {
    executionId,
    step,
    prefixOf: (piece) => jobPrefix(workflowId, piece === 1 ? step : `${step}#${piece}`),
    folderOf: jobFolder,
    started: link,
  };
}

function isOnSpark({ run }: StepWork): boolean {
  return run.row.engine === 'spark';
}

function configured({ compute }: ComputeDependencies): SparkCompute {
  if (compute !== undefined) return compute;
  throw new EngineError('UnavailableError', 'this worker has no SPARK_REST_URL');
}
