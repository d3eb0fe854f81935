/** Maintenance that is open in the store and whose workflow was never started, was not told to end, or has ended meanwhile. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { countMaintenance } from '../metrics/count-maintenance.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { MaintenanceLauncher } from './maintenance-launcher.ts';

const AT_ONCE = 50;

interface MaintenanceReconciling {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  maintenanceLauncher: MaintenanceLauncher;
}

/** @param settledBefore what is younger is most likely being delivered right now */
export async function reconcileMaintenance(dependencies: MaintenanceReconciling, settledBefore: Date): Promise<void> {
  let last = '';
  for (;;) {
    const open = await dependencies.store.maintenance.open(AT_ONCE, last);
    for (const row of open) if (row.submittedAt < settledBefore) await settle(dependencies, row);
    if (open.length < AT_ONCE) return;
    last = open.at(-1)?.maintenanceId ?? '';
  }
}

async function settle(dependencies: MaintenanceReconciling, row: MaintenanceRow): Promise<void> {
  const { maintenanceLauncher } = dependencies;
  const status = await statusOf(dependencies.temporal, row.workflowId);
  if (status === undefined && row.runId === null) await maintenanceLauncher.deliver(row);
  else if (status === 'RUNNING') {
    if (row.cancelRequested) await maintenanceLauncher.cancel(row);
  } else {
    // A workflow that ends of its own accord has closed it before.
    const terminated = status === 'TERMINATED';
    const closed = await dependencies.store.maintenance.close(row.maintenanceId, {
      status: terminated ? 'TERMINATED' : 'FAILED',
      reason: terminated ? 'Terminated' : 'Its workflow ended without saying how',
    });
    countMaintenance(dependencies.metrics, closed);
  }
}

/** Undefined when Temporal knows no such workflow (any more). */
async function statusOf(temporal: TemporalCalls, workflowId: string): Promise<string | undefined> {
  try {
    return (await temporal.call((client) => client.workflow.getHandle(workflowId).describe())).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
