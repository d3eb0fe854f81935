/**
 * The upkeep of one Iceberg table: small files are made large ones, old snapshots expire, files that no commit refers to
 * are removed, and the table is measured before and after. Each step may be done again at any moment of it.
 */
import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { MaintenanceActivities } from '../activities/compact-iceberg-table.ts';
import type { MaintenanceRecorder } from '../activities/maintenance-recorder.ts';
import { LOST_WORKER_LIMIT, reasonOf, workerWasLost } from './activity-failure.ts';
import type { MaintenanceInput, MaintenanceOutcome, MaintenanceStep } from './maintenance-messages.ts';
import { maintenanceOptions, stopOptions } from './retry-table.ts';

const recorder = proxyLocalActivities<MaintenanceRecorder>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '10s', backoffCoefficient: 2 },
});

export async function TableMaintenanceWorkflow(input: MaintenanceInput): Promise<MaintenanceOutcome> {
  const { maintenanceId } = input;
  let failure: unknown;
  try {
    for (const step of input.steps) await runStep(input, step);
  } catch (error) {
    failure = error;
    if (input.remote) await stopJob(input);
  }
  const outcome: MaintenanceOutcome =
    failure === undefined
      ? { status: 'COMPLETED' }
      : isCancellation(failure)
        ? { status: 'CANCELLED', reason: 'Cancelled' }
        : { status: 'FAILED', reason: reasonOf(failure) };
  await CancellationScope.nonCancellable(() => recorder.close_maintenance({ maintenanceId, outcome }));
  if (outcome.status === 'COMPLETED') return outcome;
  const reason = outcome.reason ?? outcome.status;
  if (outcome.status === 'CANCELLED') throw new CancelledFailure(reason, [outcome]);
  throw ApplicationFailure.create({
    message: reason,
    type: 'MaintenanceFailed',
    nonRetryable: true,
    details: [outcome],
  });
}

/** Scheduled anew when all its attempts ended with their workers. */
async function runStep(
  { maintenanceId, requestId, heartbeatTimeoutMs }: MaintenanceInput,
  step: MaintenanceStep,
): Promise<void> {
  const { compact_iceberg_table } = proxyActivities<MaintenanceActivities>(
    maintenanceOptions(step, heartbeatTimeoutMs),
  );
  for (let lost = 0; ; lost += 1) {
    try {
      await compact_iceberg_table({ maintenanceId, requestId, step });
      return;
    } catch (error) {
      if (lost >= LOST_WORKER_LIMIT || !workerWasLost(error)) throw error;
    }
  }
}

/** A cluster that is away is asked for about a minute; a job that then still works commits once, or nothing. */
async function stopJob({ maintenanceId, requestId, heartbeatTimeoutMs }: MaintenanceInput): Promise<void> {
  const { compact_iceberg_table } = proxyActivities<MaintenanceActivities>(stopOptions('rewrite', heartbeatTimeoutMs));
  const stop = { maintenanceId, requestId, step: 'rewrite', stop: true } as const;
  await CancellationScope.nonCancellable(() => compact_iceberg_table(stop)).catch(() => undefined);
}
