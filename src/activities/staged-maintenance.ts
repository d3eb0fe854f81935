import type { StagedRun } from '../engines/staging.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';

/** Where the jobs of a maintenance find what they do, and leave what they did. */
export function stagedMaintenance({
  tenant,
  maintenanceId,
}: Pick<MaintenanceRow, 'tenant' | 'maintenanceId'>): StagedRun {
  return { tenant, pipelineId: 'maintenance', executionId: maintenanceId };
}
