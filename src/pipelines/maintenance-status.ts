/** `GET /v1/pipelines/workflows/{workflowId}/status` of a maintenance, whose steps stand in its record. */
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { formatDuration } from '../schemas/duration.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { MaintenanceStepRecord } from '../workflows/maintenance-messages.ts';
import { progressOf, retriesOf } from './run-status.ts';

/** Every step of it is one. */
const ACTIVITY = 'compact_iceberg_table';

export function maintenanceStatus(row: MaintenanceRow): WorkflowStatus {
  const { workflowId, runId, status, reason, steps, startedAt, submittedAt, finishedAt } = row;
  return {
    workflowId,
    runId: runId ?? '',
    status,
    startedAt: (startedAt ?? submittedAt).toISOString(),
    currentActivity: status === 'RUNNING' && steps.some((step) => step.status === 'RUNNING') ? ACTIVITY : null,
    progress: progressOf(status, steps),
    activities: steps.filter((step) => step.status !== 'PENDING').map(activityOf),
    retries: retriesOf(steps.map(({ attempts = 0 }) => attempts)),
    pendingSignals: [],
    ...(finishedAt && { closedAt: finishedAt.toISOString() }),
    ...(status !== 'RUNNING' && { result: { status, ...(reason !== null && { reason }) } }),
  };
}

function activityOf({
  step,
  status,
  startedAt,
  finishedAt,
  error,
}: MaintenanceStepRecord): WorkflowStatus['activities'][number] {
  return {
    name: ACTIVITY,
    step,
    status,
    ...(startedAt !== undefined && finishedAt !== undefined
      ? { duration: formatDuration(Date.parse(finishedAt) - Date.parse(startedAt)) }
      : startedAt !== undefined && { startedAt }),
    ...(error && { error: error.message }),
  };
}
