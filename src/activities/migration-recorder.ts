/** What `SchemaMigrationWorkflow` itself reads and records: short, idempotent local activities over the store. */
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MigrationDocument } from '../schemas/migration.ts';
import { gateOfRound, targetNames } from '../schemas/migration-targets.ts';
import type { Store } from '../store/store.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import type { MigrationRecorder } from '../workflows/migration-messages.ts';

/** Of the gates of runs, too, unless a pipeline says otherwise. */
const GATE_TIMEOUT_MS = 4 * 3_600_000;
const WORKFLOW_TYPE = 'SchemaMigrationWorkflow';

/** The gate's answers are read and settled as those of runs are. */
export type MigrationOwnRecorder = Omit<MigrationRecorder, 'read_gate_answer' | 'settle_gate'>;

export function createMigrationRecorder({
  store,
  metrics,
  gateTimeoutMs = GATE_TIMEOUT_MS,
}: {
  store: Store;
  metrics: Metrics;
  gateTimeoutMs?: number;
}): MigrationOwnRecorder {
  const labels = { workflow_type: WORKFLOW_TYPE };

  /** Undefined after a start that was taken back. */
  async function found(migrationId: string): Promise<MigrationRow | undefined> {
    try {
      return await store.migrations.get(migrationId);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'RESOURCE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  return {
    async begin_migration({ migrationId, runId }) {
      const row = await found(migrationId);
      if (row?.status !== 'RUNNING') return null;
      if (await store.migrations.markStarted(migrationId, runId)) metrics.workflowStarted.inc(labels);
      const document = row.document as unknown as MigrationDocument;
      const targets = targetNames(document);
      const steps = new Map((await store.migrationSteps.list(migrationId)).map((step) => [step.step, step]));
      const begun = (verb: string, position: number): boolean =>
        (steps.get(`${verb}:${targets[position] ?? ''}`)?.attempts ?? 0) > 0;
      const ended = (verb: string, position: number): boolean =>
        steps.get(`${verb}:${targets[position] ?? ''}`)?.status === 'COMPLETED';
      const again = row.task === 'RESTORE' ? [...targets.keys()] : [];
      return {
        task: row.task,
        round: row.round,
        targets,
        requiresApproval: document.requires_approval,
        gateTimeoutMs,
        restore: again.filter((position) => begun('apply', position) && !ended('restore', position)),
        release: again.filter((position) => begun('backup', position) && !ended('release', position)),
        reason: row.cause ?? 'Terminated',
      };
    },

    async open_migration_gate({ migrationId, round, timeoutMs }) {
      const { tenant, workflowId } = await store.migrations.get(migrationId);
      const executionId = gateOfRound(migrationId, round);
      const opening = { executionId, migrationId, tenant, workflowId, timeoutMs, approvers: [] };
      const { openedAt, deadlineAt } = await store.gates.open(opening);
      await store.migrationSteps.begin(migrationId, 'gate');
      return { gate: executionId, openedAtMs: openedAt.getTime(), deadlineAtMs: deadlineAt.getTime() };
    },

    async end_migration_step({ migrationId, step, status, error }) {
      const told = error === undefined ? undefined : { type: 'StepError', message: error };
      await store.migrationSteps.end(migrationId, step, status, told);
    },

    async decide_migration({ migrationId, round }) {
      await store.migrations.decide(migrationId, round);
    },

    async close_migration({ migrationId, result, cause }) {
      if (!(await store.migrations.close(migrationId, result, cause ?? null))) return;
      const { startedAt, submittedAt, finishedAt } = await store.migrations.get(migrationId);
      const ms = (finishedAt ?? new Date()).getTime() - (startedAt ?? submittedAt).getTime();
      metrics.workflowDurationSeconds.observe(labels, Math.max(0, ms) / 1000);
      if (result.status === 'COMPLETED') metrics.workflowCompleted.inc(labels);
      else if (result.status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
      else metrics.workflowFailed.inc(labels);
    },
  };
}
