/** Following a run until it ends, or until it needs a person. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { type ApiClient, ApiError } from './api-client.ts';

const POLL_MS = 500;
/** A service that restarts is waited for this long. */
const AWAY_LIMIT_MS = 120_000;

/** Calls `onChange` at each state that differs from the one before; answers the last one. */
export async function followRun(
  api: ApiClient,
  workflowId: string,
  options: { untilGate: boolean; onChange: (status: WorkflowStatus) => void },
): Promise<WorkflowStatus> {
  let before = '';
  let awaySinceMs: number | undefined;
  for (;;) {
    try {
      const status = await api.status(workflowId);
      awaySinceMs = undefined;
      const now = JSON.stringify(status);
      if (now !== before) options.onChange(status);
      before = now;
      const waits = options.untilGate && status.pendingSignals.includes('approval');
      if (status.status !== 'RUNNING' || waits) return status;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status !== 503)) throw error;
      awaySinceMs ??= Date.now();
      if (Date.now() - awaySinceMs > AWAY_LIMIT_MS) throw error;
    }
    await sleep(POLL_MS);
  }
}
