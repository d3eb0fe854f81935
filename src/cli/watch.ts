/** Following a run until it ends, or until it needs a person. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { type ApiClient, ApiError } from './api-client.ts';

const POLL_MS = 500;
/** A service that restarts is waited for this long. */
const AWAY_LIMIT_MS = 120_000;

export interface FollowOptions {
  /** Ends also when the run waits at the gate. */
  untilGate: boolean;
  onChange: (status: WorkflowStatus) => void;
  signal?: AbortSignal | undefined;
  /** Between two looks. */
  pollMs?: number;
}

/**
 * Calls `onChange` at each state that differs from the one before; answers the last one.
 * @throws ApiError when the service refuses, or stays away for two minutes; `signal.reason` when aborted
 */
export async function followRun(
  api: Pick<ApiClient, 'status'>,
  workflowId: string,
  { untilGate, onChange, signal, pollMs = POLL_MS }: FollowOptions,
): Promise<WorkflowStatus> {
  let before = '';
  let awaySinceMs: number | undefined;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const status = await api.status(workflowId);
      awaySinceMs = undefined;
      const now = JSON.stringify({ ...status, asOf: undefined });
      if (now !== before) onChange(status);
      before = now;
      const waits = untilGate && status.pendingSignals.includes('approval');
      if (status.status !== 'RUNNING' || waits) return status;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status !== 503)) throw error;
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs > AWAY_LIMIT_MS) throw error;
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}
