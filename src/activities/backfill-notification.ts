import { Context } from '@temporalio/activity';
import { resolveDefinition } from '../pipelines/resolve-definition.ts';
import { exampleValues } from '../schemas/parameters.ts';
import type { NotificationDependencies } from './notifications.ts';

/** The one summary of a backfill: of each round, if it was retried. */
export interface BackfillNotification {
  backfillId: string;
  round: number;
  kind: 'completion' | 'failure';
  reason?: string;
}

export async function tellOfBackfill(
  { notifier, store, publicUrl }: Pick<NotificationDependencies, 'notifier' | 'store' | 'publicUrl'>,
  { backfillId, round, kind, reason }: BackfillNotification,
): Promise<void> {
  const activity = Context.current();
  activity.heartbeat();
  const row = await store.backfills.get(backfillId);
  const { document } = await store.pipelines.revision(row.pipelineId, row.revision);
  const { values } = exampleValues(document['parameters']);
  const { counts, rows } = await store.partitions.counts(backfillId);
  await notifier.send(
    {
      severity: kind === 'completion' ? 'INFO' : 'ERROR',
      title: `backfill of ${row.pipelineName} ${kind === 'completion' ? 'completed' : 'failed'}`,
      targets: resolveDefinition(document, values).definition.orchestration.notifications,
      key: `${backfillId}/${round}/${kind}`,
      facts: {
        pipeline: row.pipelineName,
        backfillId,
        requestId: row.requestId,
        url: `${publicUrl()}/v1/backfills/${backfillId}`,
        completed: counts.COMPLETED,
        failed: counts.FAILED,
        skipped: counts.SKIPPED,
        rows,
        ...(reason !== undefined && { reason }),
      },
    },
    activity.cancellationSignal,
  );
}
