import { setTimeout as sleep } from 'node:timers/promises';
import type { BackfillAnswer } from '../schemas/api-backfills.ts';
import { type ApiClient, ApiError } from './api-client.ts';

const POLL_MS = 1000;
/** A service that restarts is waited for this long. */
const AWAY_LIMIT_MS = 120_000;

/**
 * Calls `onChange` at each look in which more is done, or another state; answers the last one.
 *
 * @param cells that there is room for, at each look
 */
export async function followBackfill(
  api: Pick<ApiClient, 'backfillStatus'>,
  backfillId: string,
  onChange: (backfill: BackfillAnswer) => void,
  cells: () => number = () => 0,
): Promise<BackfillAnswer> {
  let before = '';
  let awaySinceMs: number | undefined;
  for (;;) {
    try {
      const backfill = await api.backfillStatus(backfillId, cells());
      awaySinceMs = undefined;
      const now = JSON.stringify([backfill.status, backfill.paused, backfill.counts]);
      if (now !== before) onChange(backfill);
      before = now;
      if (backfill.status !== 'RUNNING') return backfill;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status !== 503)) throw error;
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs > AWAY_LIMIT_MS) throw error;
    }
    await sleep(POLL_MS);
  }
}
