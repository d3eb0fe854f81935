/** Notifications never fail a run: what could not be told becomes a note in the run's status. */
import { CancellationScope } from '@temporalio/workflow';
import { reasonOf } from './activity-failure.ts';
import type { NotificationKind } from './messages.ts';
import { callActivity, type RunContext } from './run-step.ts';

const ACTIVITY_BY_KIND = {
  quality_issue: 'notify_quality_issue',
  failure: 'notify_failure',
  completion: 'notify_pipeline_completion',
} as const;

export interface NotificationInput {
  executionId: string;
  kind: NotificationKind;
  reason?: string;
}

/** Tells people, when the pipeline asks for it; answers whether it was asked for and everybody was told. */
export async function notify(run: RunContext, kind: NotificationKind, reason?: string): Promise<boolean> {
  if (!run.input.plan.notifyOn.includes(kind)) return false;
  const argument: NotificationInput = {
    executionId: run.input.executionId,
    kind,
    ...(reason !== undefined && { reason }),
  };
  try {
    await CancellationScope.nonCancellable(() => callActivity(run, ACTIVITY_BY_KIND[kind], 'notify', argument));
    return true;
  } catch (error) {
    run.tracker.note(`${ACTIVITY_BY_KIND[kind]} failed: ${reasonOf(error)}`);
    return false;
  }
}
