/** What a migration's workflow records: tried until the store is there again, since a change nobody knows of must not go on. */
import { proxyLocalActivities } from '@temporalio/workflow';
import type { MigrationRecorder } from './migration-messages.ts';

export const recorder = proxyLocalActivities<MigrationRecorder>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '10s', backoffCoefficient: 2 },
});
