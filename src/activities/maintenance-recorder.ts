/** What `TableMaintenanceWorkflow` itself records: how it ended, once. */
import type { Staging } from '../engines/staging.ts';
import { countMaintenance } from '../metrics/count-maintenance.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { MaintenanceOutcome } from '../workflows/maintenance-messages.ts';
import { stagedMaintenance } from './staged-maintenance.ts';

export interface MaintenanceRecorder {
  close_maintenance(of: { maintenanceId: string; outcome: MaintenanceOutcome }): Promise<void>;
}

export function createMaintenanceRecorder({
  store,
  metrics,
  staging,
}: {
  store: Store;
  metrics: Metrics;
  staging: Staging;
}): MaintenanceRecorder {
  return {
    async close_maintenance({ maintenanceId, outcome }) {
      const row = await store.maintenance.close(maintenanceId, outcome);
      countMaintenance(metrics, row);
      if (row?.status !== 'COMPLETED' || row.engine !== 'spark') return;
      // What a job was told; where this is missed it goes after a week, like all that is staged.
      await staging.dropRun(stagedMaintenance(row)).catch(() => undefined);
    },
  };
}
