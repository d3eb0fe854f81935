/** Runs one activity of the plan: waits while the run is paused, keeps the record, and never lets a lost worker fail a step. */
import { ApplicationFailure, condition, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { PipelineActivities } from '../activities/pipeline-activities.ts';
import type { Dataset } from '../engines/dataset.ts';
import type { ActivityName } from '../schemas/definition.ts';
import { LOST_WORKER_LIMIT, reasonOf, workerWasLost } from './activity-failure.ts';
import type { PipelineRunInput, PlannedStep, StepResult } from './messages.ts';
import { activityOptions } from './retry-table.ts';
import type { RunTracker } from './run-tracker.ts';
import { stopRemoteJob } from './stop-remote-job.ts';

export interface RunContext {
  input: PipelineRunInput;
  tracker: RunTracker;
  /** By source and transformation: what it left in staging. */
  outputs: Map<string, Dataset>;
  /** By step: what its activity answered. */
  results: Map<string, StepResult>;
}

/** Calls the step's activity with what it reads, and remembers what it answered. */
export async function runStep<T extends StepResult>(run: RunContext, planned: PlannedStep): Promise<T> {
  const { step, activity } = planned;
  const { executionId, requestId, reused } = run.input;
  const before = reused[step];
  if (before !== undefined) return remember(run, step, before as T);

  const inputs = Object.fromEntries(planned.inputs.map((name) => [name, inputOf(run, name)]));
  await condition(() => !run.tracker.paused);
  run.tracker.started(step);
  try {
    const result = await callActivity<T>(run, activity, step, {
      executionId,
      requestId,
      step,
      inputs,
    });
    run.tracker.finished(step, 'COMPLETED');
    return remember(run, step, result);
  } catch (error) {
    await stopRemoteJob(run, planned);
    if (isCancellation(error)) run.tracker.finished(step, 'CANCELLED');
    else run.tracker.finished(step, 'FAILED', reasonOf(error));
    throw error;
  }
}

/** One activity by its row of the retry table; scheduled anew when all its attempts ended with their workers. */
export async function callActivity<T>(
  run: RunContext,
  activity: ActivityName,
  step: string,
  argument: unknown,
): Promise<T> {
  const activities = proxyActivities<PipelineActivities>(activityOptions(activity, step, run.input.plan));
  const call = activities[activity as keyof PipelineActivities] as unknown as (argument: unknown) => Promise<T>;
  for (let lost = 0; ; lost += 1) {
    try {
      return await call(argument);
    } catch (error) {
      if (lost >= LOST_WORKER_LIMIT || !workerWasLost(error)) throw error;
      run.tracker.note(`${step}: its worker was lost; scheduled anew`);
    }
  }
}

function remember<T extends StepResult>(run: RunContext, step: string, result: T): T {
  run.results.set(step, result);
  const name = step.slice(step.indexOf(':') + 1);
  if (result.output !== undefined) run.outputs.set(name, result.output);
  return result;
}

function inputOf(run: RunContext, name: string): Dataset {
  const dataset = run.outputs.get(name);
  if (dataset === undefined) {
    throw ApplicationFailure.nonRetryable(`${name} left no output that another step could read`, 'ValidationError');
  }
  return dataset;
}
