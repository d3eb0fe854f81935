/** `notify_*`: who is told what of a run. Telling twice is harmless: each notification has the run's own key. */
import { Context } from '@temporalio/activity';
import type { Notifier, Severity } from '../notify/notifier.ts';
import type { Store } from '../store/store.ts';
import type { NotificationKind } from '../workflows/messages.ts';
import type { NotificationInput } from '../workflows/notify.ts';
import type { MigrationNotification } from '../workflows/notify-of-migration.ts';
import { type BackfillNotification, tellOfBackfill } from './backfill-notification.ts';
import type { RunLoader } from './load-run.ts';
import { tellOfMigration } from './migration-notification.ts';

export interface NotificationActivities {
  notify_quality_issue(input: NotificationInput | MigrationNotification): Promise<void>;
  notify_pipeline_completion(input: NotificationInput | BackfillNotification | MigrationNotification): Promise<void>;
  notify_failure(input: NotificationInput | BackfillNotification | MigrationNotification): Promise<void>;
}

export interface NotificationDependencies {
  notifier: Notifier;
  store: Store;
  loadRun: RunLoader;
  /** Where people look further, without a trailing slash. */
  publicUrl: () => string;
}

const SEVERITIES: Record<NotificationKind, Severity> = {
  completion: 'INFO',
  quality_issue: 'WARNING',
  failure: 'ERROR',
};

const TITLES: Record<NotificationKind, (pipeline: string) => string> = {
  completion: (pipeline) => `${pipeline} completed`,
  quality_issue: (pipeline) => `${pipeline} waits for approval: its data is below the quality threshold`,
  failure: (pipeline) => `${pipeline} failed`,
};

export function createNotificationActivities(dependencies: NotificationDependencies): NotificationActivities {
  const { notifier, store, loadRun, publicUrl } = dependencies;
  const tell = async ({ executionId, kind, reason }: NotificationInput): Promise<void> => {
    const activity = Context.current();
    activity.heartbeat();
    const run = await loadRun(executionId);
    const quality = kind === 'quality_issue' ? await store.quality.find(executionId) : undefined;
    await notifier.send(
      {
        severity: SEVERITIES[kind],
        title: TITLES[kind](run.document.name),
        targets: run.document.definition.orchestration.notifications,
        key: `${executionId}/${kind}`,
        facts: {
          pipeline: run.document.name,
          executionId,
          requestId: run.row.requestId,
          url: `${publicUrl()}/v1/pipelines/workflows/${encodeURIComponent(run.row.workflowId)}/status`,
          ...(quality && { score: quality.score }),
          ...(reason !== undefined && { reason }),
        },
      },
      activity.cancellationSignal,
    );
  };
  const tellOf = (input: NotificationInput | BackfillNotification | MigrationNotification): Promise<void> => {
    if ('backfillId' in input) return tellOfBackfill(dependencies, input);
    return 'migrationId' in input ? tellOfMigration(dependencies, input) : tell(input);
  };
  return { notify_quality_issue: tellOf, notify_pipeline_completion: tellOf, notify_failure: tellOf };
}
