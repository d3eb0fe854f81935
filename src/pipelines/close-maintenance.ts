import type { Staging, StagedRun } from '../engines/staging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { Store } from '../store/store.ts';
import { MAINTENANCE_WORKFLOW, type MaintenanceOutcome } from '../workflows/maintenance-messages.ts';

/** Closes a maintenance and counts it, the first time only. */
export async function closeMaintenance(
  { store, metrics, staging }: { store: Store; metrics: Metrics; staging: Staging },
  maintenanceId: string,
  outcome: MaintenanceOutcome,
): Promise<void> {
  const row = await store.maintenance.close(maintenanceId, outcome);
  if (row === undefined) return;
  const labels = { workflow_type: MAINTENANCE_WORKFLOW };
  const seconds = ((row.finishedAt ?? new Date()).getTime() - (row.startedAt ?? row.submittedAt).getTime()) / 1000;
  metrics.workflowDurationSeconds.observe(labels, Math.max(0, seconds));
  if (row.status === 'COMPLETED') metrics.workflowCompleted.inc(labels);
  else if (row.status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
  else metrics.workflowFailed.inc(labels);
  // What a job was told; where this is missed it goes after a week, like all that is staged.
  if (row.status === 'COMPLETED' && row.engine === 'spark') {
    await staging.dropRun(stagedMaintenance(row)).catch(() => undefined);
  }
}

/** Where its jobs find what they do. */
export function stagedMaintenance({
  tenant,
  maintenanceId,
}: Pick<MaintenanceRow, 'tenant' | 'maintenanceId'>): StagedRun {
  return { tenant, pipelineId: 'maintenance', executionId: maintenanceId };
}
