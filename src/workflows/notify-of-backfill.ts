import { CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import type { NotificationActivities } from '../activities/notifications.ts';
import { reasonOf } from './activity-failure.ts';
import type { BackfillInput, BackfillResult } from './backfill-messages.ts';
import { activityOptions } from './retry-table.ts';

/** One summary of all partitions, however many failed. A notification that fails changes nothing. */
export async function notifyOfBackfill(
  { backfillId, plan }: BackfillInput,
  { status, reason }: BackfillResult,
  round: number,
): Promise<void> {
  if (status !== 'COMPLETED' && status !== 'FAILED') return;
  const kind = status === 'COMPLETED' ? 'completion' : 'failure';
  if (!plan.notifyOn.includes(kind)) return;
  const activity = kind === 'completion' ? 'notify_pipeline_completion' : 'notify_failure';
  const activities = proxyActivities<NotificationActivities>(activityOptions(activity, 'notify', plan));
  const told = { backfillId, round, kind, ...(reason !== undefined && { reason }) } as const;
  try {
    await CancellationScope.nonCancellable(() => activities[activity](told));
  } catch (error) {
    log.warn(`${activity} failed: ${reasonOf(error)}`, { backfillId });
  }
}
