/**
 * Starts the workflow of a migration that stands in the store, or finds it at work. The store says what there is to do and
 * whether there is anything at all, so a start that comes twice, or late, does nothing.
 */
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { MIGRATION_WORKFLOW, type MigrationInput } from '../workflows/migration-messages.ts';

export interface MigrationWaker {
  /** Fails with SERVICE_UNAVAILABLE when Temporal is away; the reconciler wakes those that nobody told. */
  wake(migration: MigrationRow): Promise<void>;
}

const TASK_QUEUE = 'pipeline-workers';
const PRIORITY_KEY = 3;

export function createMigrationWaker(dependencies: {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  heartbeatTimeoutMs: number;
}): MigrationWaker {
  const { store, temporal, metrics, heartbeatTimeoutMs } = dependencies;
  return {
    async wake({ migrationId, workflowId, requestId, name }) {
      const input: MigrationInput = { migrationId, requestId, heartbeatTimeoutMs };
      const handle = await temporal.call((client) =>
        client.workflow.start(MIGRATION_WORKFLOW, {
          workflowId,
          taskQueue: TASK_QUEUE,
          args: [input],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'USE_EXISTING',
          priority: { priorityKey: PRIORITY_KEY },
          staticSummary: `migration ${name}`,
        }),
      );
      if (await store.migrations.markStarted(migrationId, handle.firstExecutionRunId)) {
        metrics.workflowStarted.inc({ workflow_type: MIGRATION_WORKFLOW });
      }
    },
  };
}
