/** The steps of a migration on its targets, one activity each, by its row of the retry table; a lost worker fails none. */
import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { MigrationActivities } from '../activities/migration-activities.ts';
import { LOST_WORKER_LIMIT, reasonOf, workerWasLost } from './activity-failure.ts';
import type { MigrationActivityName, MigrationInput, MigrationPlan } from './migration-messages.ts';
import { recorder } from './migration-recorder.ts';
import { activityOptions } from './retry-table.ts';

const ACTIVITIES = {
  validate: 'validate_migration',
  backup: 'create_backup',
  apply: 'apply_migration',
  verify: 'validate_post_migration',
  restore: 'restore_backup',
  release: 'release_backup',
} as const satisfies Record<string, MigrationActivityName>;

export type MigrationVerb = keyof typeof ACTIVITIES;

export type StepCaller = (verb: MigrationVerb, position: number) => Promise<void>;

/** Does one thing to the target at the position; fails with what its activity failed with. */
export function stepCaller(input: MigrationInput, plan: MigrationPlan): StepCaller {
  const { migrationId, requestId, heartbeatTimeoutMs } = input;
  const { round } = plan;
  // Somebody waits for the answer of a dry run, and may ask again.
  const policies = plan.task === 'VALIDATE' ? { validate_migration: { maximumAttempts: 1 } } : {};

  return async (verb, position) => {
    const activity = ACTIVITIES[verb];
    const step = `${verb}:${plan.targets[position] ?? position}`;
    const options = activityOptions(activity, step, { policies, heartbeatTimeoutMs, priorityKey: 3 });
    const call = proxyActivities<MigrationActivities>(options)[activity];
    for (let lost = 0; ; lost += 1) {
      try {
        await call({ migrationId, requestId, round, position, step });
        return;
      } catch (error) {
        if (lost < LOST_WORKER_LIMIT && workerWasLost(error)) continue;
        // An attempt whose worker died has not said how it ended.
        const status = isCancellation(error) ? 'CANCELLED' : 'FAILED';
        const ended = { migrationId, step, status, error: reasonOf(error) } as const;
        await CancellationScope.nonCancellable(() => recorder.end_migration_step(ended));
        throw error;
      }
    }
  };
}
