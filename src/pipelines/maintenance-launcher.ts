/** Brings a recorded maintenance to Temporal, once: the same start again finds the first one. */
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Metrics } from '../metrics/metrics.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { MAINTENANCE_WORKFLOW, type MaintenanceInput } from '../workflows/maintenance-messages.ts';

export interface MaintenanceLauncher {
  /** Fails with SERVICE_UNAVAILABLE when Temporal is away; the reconciler starts those that it was not told of. */
  deliver(maintenance: MaintenanceRow): Promise<void>;
  /** Asks the workflow to end; nothing happens when it has ended. */
  cancel(maintenance: MaintenanceRow): Promise<void>;
}

const TASK_QUEUE = 'pipeline-workers';

export function createMaintenanceLauncher(dependencies: {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  heartbeatTimeoutMs: number;
}): MaintenanceLauncher {
  const { store, temporal, metrics, heartbeatTimeoutMs } = dependencies;

  async function startOnce(client: Client, row: MaintenanceRow): Promise<string> {
    const { maintenanceId, requestId, workflowId, engine } = row;
    const steps = row.steps.map(({ step }) => step);
    const remote = engine === 'spark' && row.plan.rewrite !== null;
    const input: MaintenanceInput = { maintenanceId, requestId, steps, remote, heartbeatTimeoutMs };
    try {
      const handle = await client.workflow.start(MAINTENANCE_WORKFLOW, {
        workflowId,
        taskQueue: TASK_QUEUE,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: `maintenance of ${row.tableName}`,
      });
      metrics.workflowStarted.inc({ workflow_type: MAINTENANCE_WORKFLOW });
      return handle.firstExecutionRunId;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return (await client.workflow.getHandle(workflowId).describe()).runId;
    }
  }

  return {
    async deliver(row) {
      const runId = await temporal.call((client) => startOnce(client, row));
      await store.maintenance.markStarted(row.maintenanceId, runId);
    },

    async cancel({ workflowId }) {
      try {
        await temporal.call((client) => client.workflow.getHandle(workflowId).cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
