/**
 * Ends what a step started in another system. No activity does that of its own accord: a worker that shuts down or dies
 * must leave the job to its successor, so an activity that is told to end only stops waiting. The workflow alone knows
 * that nobody goes on with a step, and it says so also when the cancellation came while no worker worked on the step.
 */
import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { PipelineActivities } from '../activities/pipeline-activities.ts';
import type { ActivityName } from '../schemas/definition.ts';
import { reasonOf } from './activity-failure.ts';
import type { PlannedStep, StepInput } from './messages.ts';
import { stopOptions } from './retry-table.ts';
import type { RunContext } from './run-step.ts';

/** Activities that await a job which goes on without them. */
const REMOTE: ReadonlySet<ActivityName> = new Set<ActivityName>([
  'trigger_airflow_dag',
  'run_flink_statement',
  'run_spark_job',
]);

/** And those that do so in a run with `compute: spark`. */
const COMPUTED: ReadonlySet<ActivityName> = new Set<ActivityName>([
  'extract_data',
  'validate_quality',
  'run_sql',
  'load_to_iceberg',
]);

/**
 * Called when a step ended otherwise than by success. A system that is away is asked for about a minute;
 * then the run ends with a note that says what may still work.
 */
export async function stopRemoteJob({ input, tracker }: RunContext, { step, activity }: PlannedStep): Promise<void> {
  if (!REMOTE.has(activity) && !(input.plan.compute === 'spark' && COMPUTED.has(activity))) return;
  const activities = proxyActivities<PipelineActivities>(stopOptions(step, input.plan.heartbeatTimeoutMs));
  const call = activities[activity as keyof PipelineActivities] as unknown as (input: StepInput) => Promise<unknown>;
  try {
    const { executionId, requestId } = input;
    const request: StepInput = { executionId, requestId, step, inputs: {}, stop: true };
    await CancellationScope.nonCancellable(() => call(request));
  } catch (error) {
    tracker.note(`${step}: its job may still be running, it could not be stopped: ${reasonOf(error)}`);
  }
}
