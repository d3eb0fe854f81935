/**
 * `GET /v1/pipelines/workflows/{workflowId}/status` of a migration. Each attempt records its step in the store before it does
 * anything, so the store knows at once what the workflow could tell, whether a worker answers or not.
 */
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { formatDuration } from '../schemas/duration.ts';
import { gateOfRound } from '../schemas/migration-targets.ts';
import type { Store } from '../store/store.ts';
import type { MigrationStepRow } from '../store/table-migration-steps.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import { progressOf, retriesOf } from './run-status.ts';

export async function migrationStatus(store: Store, row: MigrationRow): Promise<WorkflowStatus> {
  const { migrationId, round, status, result, finishedAt } = row;
  const steps = await store.migrationSteps.list(migrationId);
  const begun = steps.filter((step) => step.status !== 'PENDING' && step.status !== 'SKIPPED');
  const gate = steps.find(({ activity }) => activity === 'wait_for_approval');
  const asked = status === 'RUNNING' && gate?.status === 'RUNNING';
  const waits = asked && (await store.gates.answerOf(gateOfRound(migrationId, round))) === undefined;
  const notes = result?.notes ?? [];
  return {
    workflowId: row.workflowId,
    runId: row.runId ?? '',
    status,
    startedAt: (row.startedAt ?? row.submittedAt).toISOString(),
    currentActivity: steps.find((step) => step.status === 'RUNNING')?.activity ?? null,
    progress: progressOf(status, steps),
    activities: begun.map(activityOf),
    retries: retriesOf(steps.map(({ attempts }) => attempts)),
    pendingSignals: waits ? ['approval'] : [],
    ...(notes.length > 0 && { notes }),
    ...(finishedAt && { closedAt: finishedAt.toISOString() }),
    ...(result && { result: { ...result } }),
  };
}

function activityOf({
  step,
  activity: name,
  status,
  attempts,
  startedAt,
  finishedAt,
  error,
}: MigrationStepRow): WorkflowStatus['activities'][number] {
  return {
    name,
    step,
    status,
    ...(startedAt && finishedAt
      ? { duration: formatDuration(finishedAt.getTime() - startedAt.getTime()) }
      : startedAt && { startedAt: startedAt.toISOString() }),
    ...(attempts > 1 && { attempt: attempts }),
    ...(error && { error: error.message }),
  };
}
