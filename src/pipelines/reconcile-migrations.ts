/** Migrations that are open in the store and whose workflow is not at work: it was never started, or has ended otherwise. */
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { MIGRATION_WORKFLOW, type MigrationResult } from '../workflows/migration-messages.ts';
import type { MigrationWaker } from './migration-waker.ts';

const AT_ONCE = 50;

interface Dependencies {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  migrationWaker: MigrationWaker;
}

/** @param settledBefore what is younger is most likely being delivered right now */
export async function reconcileMigrations(dependencies: Dependencies, settledBefore: Date): Promise<void> {
  let last = '';
  for (;;) {
    const open = await dependencies.store.migrations.open(AT_ONCE, last);
    for (const migration of open) {
      if ((migration.startedAt ?? migration.submittedAt) < settledBefore) await settle(dependencies, migration);
    }
    if (open.length < AT_ONCE) return;
    last = open.at(-1)?.migrationId ?? '';
  }
}

async function settle(
  { store, temporal, metrics, migrationWaker }: Dependencies,
  migration: MigrationRow,
): Promise<void> {
  const { migrationId, workflowId, decidedAt, round, startedAt, submittedAt } = migration;
  let ended: { terminated: boolean; at: Date } | undefined;
  try {
    const { status, closeTime } = await temporal.call((client) => client.workflow.getHandle(workflowId).describe());
    if (status.name === 'RUNNING') return;
    ended = { terminated: status.name === 'TERMINATED', at: closeTime ?? new Date(0) };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  // One that was opened again after that goes on: a retry whose workflow nobody has started yet.
  const terminated = ended?.terminated === true && ended.at > (startedAt ?? submittedAt);
  if (!terminated) {
    await migrationWaker.wake(migration);
    return;
  }
  const result: MigrationResult =
    decidedAt === null
      ? { status: 'TERMINATED', reason: 'The workflow was terminated', round }
      : { status: 'COMPLETED', round, notes: ['terminated before all backups were released'] };
  if (!(await store.migrations.close(migrationId, result, 'Terminated'))) return;
  const labels = { workflow_type: MIGRATION_WORKFLOW };
  if (decidedAt === null) metrics.workflowFailed.inc(labels);
  else metrics.workflowCompleted.inc(labels);
}
