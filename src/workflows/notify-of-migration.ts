import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { NotificationActivities } from '../activities/notifications.ts';
import { reasonOf } from './activity-failure.ts';
import type { MigrationInput } from './migration-messages.ts';
import { activityOptions } from './retry-table.ts';

/** What people are told of a migration. */
export interface MigrationNotification {
  migrationId: string;
  round: number;
  kind: 'approval' | 'completion' | 'rollback' | 'failure';
  reason?: string;
}

const ACTIVITY_BY_KIND = {
  approval: 'notify_quality_issue',
  completion: 'notify_pipeline_completion',
  rollback: 'notify_failure',
  failure: 'notify_failure',
} as const;

/** Answers why nobody could be told, if so: that never changes how a migration ends. */
export async function notifyOfMigration(
  { heartbeatTimeoutMs }: MigrationInput,
  notification: MigrationNotification,
): Promise<string | undefined> {
  const activity = ACTIVITY_BY_KIND[notification.kind];
  const options = activityOptions(activity, 'notify', { policies: {}, heartbeatTimeoutMs, priorityKey: 3 });
  const activities = proxyActivities<NotificationActivities>(options);
  try {
    await CancellationScope.nonCancellable(() => activities[activity](notification));
    return undefined;
  } catch (error) {
    return `${activity} failed: ${reasonOf(error)}`;
  }
}
