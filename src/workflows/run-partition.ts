/**
 * A partition as a run of its own, for pipelines whose steps work in other systems (spec section 2): a child
 * `DataPipelineWorkflow`, whose ids follow from the backfill, the round and the partition. Its row of the registry is
 * there before it is started, and says how it ended; so whoever comes to the partition again finds the same run.
 */
import {
  ApplicationFailure,
  CancellationScope,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  sleep,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { BackfillRecorder } from '../activities/backfill-recorder.ts';
import type { PartitionRef, PartitionRun, PartitionRunEnd } from './backfill-messages.ts';
import { PIPELINE_WORKFLOW, type PipelineRunInput, type PipelineRunResult, type RunPlan } from './messages.ts';
import { priorityOf } from './retry-table.ts';

/** An adopted run is looked at this often, less and less often: nobody says when it ends. */
const FIRST_LOOK_MS = 1_000;
const LOOK_AT_LEAST_EVERY_MS = 300_000;

/** The server's time-out of a run, beyond the deadline that its workflow keeps itself. */
const SERVER_GRACE_MS = 3_600_000;

/**
 * Returns when the partition is completed, or nobody wants it any more; throws what it failed by, or the cancellation
 * of the scope, with which the run and its jobs have ended.
 */
export async function runPartition(
  { backfillId, requestId, plan }: { backfillId: string; requestId: string; plan: RunPlan },
  partition: PartitionRef,
  recorder: BackfillRecorder,
): Promise<void> {
  const at = { backfillId, requestId, ...partition };
  const begun = await CancellationScope.nonCancellable(() => recorder.begin_partition_run({ ...at, plan }));
  if (begun === null) return;
  const { executionId } = begun.run;
  let failure: Error | undefined;
  let end: PartitionRunEnd | null = null;
  try {
    await executeRun(begun, plan);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      end = await endOfAdopted(begun, () => recorder.end_partition_run({ ...at, executionId }));
    } else if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
    else failure = error instanceof Error ? error : undefined;
  }
  end ??= await CancellationScope.nonCancellable(() => recorder.end_partition_run({ ...at, executionId }));
  // Of a run that was terminated or timed out by the server nothing is recorded yet.
  if (end === null)
    throw failure ?? ApplicationFailure.nonRetryable('The run ended without a record', 'PartitionFailed');
  if (!end.completed) throw ApplicationFailure.nonRetryable(end.error.message, end.error.type);
}

function executeRun({ workflowId, run }: PartitionRun, plan: RunPlan): Promise<PipelineRunResult> {
  const input: PipelineRunInput = { ...run, plan, reused: {} };
  return executeChild<(input: PipelineRunInput) => Promise<PipelineRunResult>>(PIPELINE_WORKFLOW, {
    workflowId,
    args: [input],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowExecutionTimeout: plan.deadlineMs + SERVER_GRACE_MS,
    // Whoever terminates the backfill wants its jobs to end, too.
    parentClosePolicy: 'REQUEST_CANCEL',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    priority: priorityOf(plan),
    staticSummary: `${run.pipelineName} r${run.revision}`,
  });
}

/** Of one that an earlier execution of this workflow started, which was reset, or ended before its partitions did. */
async function endOfAdopted(
  { workflowId }: PartitionRun,
  look: () => Promise<PartitionRunEnd | null>,
): Promise<PartitionRunEnd> {
  const closed = async (): Promise<PartitionRunEnd> => {
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LOOK_AT_LEAST_EVERY_MS)) {
      const end = await look();
      if (end !== null) return end;
      await sleep(waitMs);
    }
  };
  try {
    return await closed();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      // One that has just ended cannot be cancelled, and need not.
      await getExternalWorkflowHandle(workflowId)
        .cancel()
        .catch(() => undefined);
      await closed();
    });
    throw error;
  }
}
