/**
 * `GET /v1/pipelines/workflows/{workflowId}/status` of a backfill: the partitions at work are its activities. The store
 * knows each from before its first attempt, so a worker need not answer.
 */
import type { BackfillAnswer } from '../schemas/api-backfills.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import type { PartitionRow } from '../store/backfill-partitions.ts';
import type { BackfillRow } from '../store/backfills.ts';

/** Of an embedded pipeline, and of one whose partitions are runs of their own. */
const ACTIVITY = 'process_partition';
const RUN = 'DataPipelineWorkflow';

/** @param working partitions that are being processed */
export function backfillStatus(
  { workflowId, runId, startedAt, submittedAt, finishedAt }: BackfillRow,
  { status, progress, paused, counts, reason }: BackfillAnswer,
  working: readonly PartitionRow[],
  retries: number,
): WorkflowStatus {
  const activities = status === 'RUNNING' ? working.map(activityOf) : [];
  return {
    workflowId,
    runId: runId ?? '',
    status,
    startedAt: (startedAt ?? submittedAt).toISOString(),
    currentActivity: activities[0]?.name ?? null,
    progress,
    activities,
    retries,
    pendingSignals: [],
    ...(status === 'RUNNING' && { paused }),
    ...(finishedAt && { closedAt: finishedAt.toISOString() }),
    ...(status !== 'RUNNING' && { result: { status, ...(reason !== undefined && { reason }), counts } }),
  };
}

function activityOf({
  intervalStart,
  executionId,
  attempts,
  startedAt,
}: PartitionRow): WorkflowStatus['activities'][number] {
  return {
    name: executionId === null ? ACTIVITY : RUN,
    step: `partition:${intervalStart.toISOString()}`,
    status: 'RUNNING',
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(attempts > 1 && { attempt: attempts }),
  };
}
