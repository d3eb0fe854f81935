import { setTimeout as sleep } from 'node:timers/promises';
import type { MaintenanceAnswer } from '../schemas/api-maintenance.ts';
import { type ApiClient, ApiError } from './api-client.ts';

const POLL_MS = 1000;
/** A service that restarts is waited for this long. */
const AWAY_LIMIT_MS = 120_000;

/** Answers it when it has ended. */
export async function followMaintenance(
  api: Pick<ApiClient, 'maintenance'>,
  maintenanceId: string,
): Promise<MaintenanceAnswer> {
  let awaySinceMs: number | undefined;
  for (;;) {
    try {
      const maintenance = await api.maintenance(maintenanceId);
      awaySinceMs = undefined;
      if (maintenance.status !== 'RUNNING') return maintenance;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status !== 503)) throw error;
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs > AWAY_LIMIT_MS) throw error;
    }
    await sleep(POLL_MS);
  }
}
