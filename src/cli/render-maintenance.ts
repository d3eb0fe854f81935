/** The upkeep of a table as a person reads it on a terminal. */
import type { MaintenanceAnswer } from '../schemas/api-maintenance.ts';
import { EXIT } from './exit-codes.ts';
import { printable } from './printable.ts';
import { colored, table } from './render.ts';

export function renderMaintenance(maintenance: MaintenanceAnswer): string {
  const { before, after, expired, orphans, reason } = maintenance;
  const sizes = (['dataFiles', 'bytes', 'records', 'deleteFiles', 'snapshots'] as const).map((what) => {
    return [what, String(before?.[what] ?? ''), String(after?.[what] ?? '')];
  });
  return [
    `${maintenance.maintenanceId}  ${printable(maintenance.table)}  ${colored(maintenance.status)}`,
    ...(before === undefined ? [] : [table(['', 'BEFORE', 'AFTER'], sizes)]),
    ...(expired === undefined ? [] : [`${expired.snapshots} snapshots expired, ${expired.deletedFiles} files deleted`]),
    ...(orphans === undefined ? [] : [`${orphans.deletedFiles} orphans removed, ${orphans.deletedBytes} bytes`]),
    ...(orphans?.unsure === undefined ? [] : [`No orphans were removed: ${printable(orphans.unsure)}`]),
    ...(reason === undefined ? [] : [`Reason: ${printable(reason)}`]),
  ].join('\n');
}

export function maintenanceExitCode({ status }: MaintenanceAnswer): number {
  if (status === 'COMPLETED') return EXIT.completed;
  return status === 'CANCELLED' ? EXIT.cancelled : EXIT.failed;
}
