/** Maintenance as the API shows it (spec section 4). */
import type { MaintenanceAnswer } from '../schemas/api-maintenance.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { MaintenanceStep } from '../workflows/maintenance-messages.ts';

type ResultKey = 'before' | 'after' | 'rewritten' | 'expired' | 'orphans';

export function maintenanceView(row: MaintenanceRow): MaintenanceAnswer {
  const resultOf = (key: ResultKey, step: MaintenanceStep): Pick<MaintenanceAnswer, ResultKey> => {
    const result = row.steps.find((record) => record.step === step)?.result;
    // Each step's result was written by the code of that step, whose shape the answer's schema describes.
    return result === undefined ? {} : { [key]: result };
  };
  return {
    maintenanceId: row.maintenanceId,
    workflowId: row.workflowId,
    table: row.tableName,
    engine: row.engine,
    status: row.status,
    ...(row.reason !== null && { reason: row.reason }),
    ...resultOf('before', 'measure_before'),
    ...resultOf('after', 'measure_after'),
    ...resultOf('rewritten', 'rewrite'),
    ...resultOf('expired', 'expire'),
    ...resultOf('orphans', 'orphans'),
    steps: row.steps.map(({ result: _result, ...step }) => step),
    submittedAt: row.submittedAt.toISOString(),
    submittedBy: row.submittedBy,
    ...(row.startedAt !== null && { startedAt: row.startedAt.toISOString() }),
    ...(row.finishedAt !== null && { finishedAt: row.finishedAt.toISOString() }),
  };
}
