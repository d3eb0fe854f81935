/** What `TableMaintenanceWorkflow` itself records: how it ended, once. */
import type { Staging } from '../engines/staging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { closeMaintenance } from '../pipelines/close-maintenance.ts';
import type { Store } from '../store/store.ts';
import type { MaintenanceOutcome } from '../workflows/maintenance-messages.ts';

export interface MaintenanceRecorder {
  close_maintenance(of: { maintenanceId: string; outcome: MaintenanceOutcome }): Promise<void>;
}

export function createMaintenanceRecorder(dependencies: {
  store: Store;
  metrics: Metrics;
  staging: Staging;
}): MaintenanceRecorder {
  return {
    close_maintenance: ({ maintenanceId, outcome }) => closeMaintenance(dependencies, maintenanceId, outcome),
  };
}
