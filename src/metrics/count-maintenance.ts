import type { Metrics } from './metrics.ts';

/** What is known of a maintenance that was closed right now; of those closed before, nobody counts again. */
export interface ClosedMaintenance {
  status: string;
  submittedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

export function countMaintenance(metrics: Metrics, closed: ClosedMaintenance | undefined): void {
  if (closed === undefined) return;
  const { status, submittedAt, startedAt, finishedAt } = closed;
  const labels = { workflow_type: 'TableMaintenanceWorkflow' };
  const seconds = ((finishedAt ?? new Date()).getTime() - (startedAt ?? submittedAt).getTime()) / 1000;
  metrics.workflowDurationSeconds.observe(labels, Math.max(0, seconds));
  if (status === 'COMPLETED') metrics.workflowCompleted.inc(labels);
  else if (status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
  else metrics.workflowFailed.inc(labels);
}
