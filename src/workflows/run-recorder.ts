/**
 * What the workflow itself records in the store: the run's begin and end, its slot, its gate. Short, idempotent local
 * activities, tried until the store is there again, since a run that cannot be recorded must not go on.
 */
import { proxyLocalActivities } from '@temporalio/workflow';
import type { RunRecorder } from '../activities/run-recorder.ts';

export const recorder = proxyLocalActivities<RunRecorder>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '10s', backoffCoefficient: 2 },
});
