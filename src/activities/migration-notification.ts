import { Context } from '@temporalio/activity';
import type { Severity } from '../notify/notifier.ts';
import type { MigrationNotification } from '../workflows/notify-of-migration.ts';
import type { NotificationDependencies } from './notifications.ts';

const SEVERITIES: Record<MigrationNotification['kind'], Severity> = {
  approval: 'WARNING',
  completion: 'INFO',
  rollback: 'ERROR',
  // Tables are neither as they were nor as they should be: somebody has to look, now.
  failure: 'CRITICAL',
};

const TITLES: Record<MigrationNotification['kind'], string> = {
  approval: 'waits for approval',
  completion: 'completed',
  rollback: 'was rolled back',
  failure: 'failed, and not everything could be put back',
};

export async function tellOfMigration(
  { notifier, store, publicUrl }: Pick<NotificationDependencies, 'notifier' | 'store' | 'publicUrl'>,
  { migrationId, round, kind, reason }: MigrationNotification,
): Promise<void> {
  const activity = Context.current();
  activity.heartbeat();
  const { name, requestId } = await store.migrations.get(migrationId);
  await notifier.send(
    {
      severity: SEVERITIES[kind],
      title: `migration ${name} ${TITLES[kind]}`,
      targets: {},
      key: `${migrationId}.${round}/${kind}`,
      facts: {
        migration: name,
        migrationId,
        requestId,
        url: `${publicUrl()}/v1/migrations/${migrationId}`,
        ...(reason !== undefined && { reason }),
      },
    },
    activity.cancellationSignal,
  );
}
