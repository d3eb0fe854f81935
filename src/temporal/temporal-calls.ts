/** Calls of Temporal that somebody waits for: answered within the limit, or SERVICE_UNAVAILABLE (spec section 4). */
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { withDeadline } from './with-deadline.ts';

/** Below the 2 s that a caller of the API waits at most. */
const ANSWER_WITHIN_MS = 1_700;

export interface TemporalCalls {
  call<T>(ask: (client: Client) => Promise<T>, timeoutMs?: number): Promise<T>;
}

export function createTemporalCalls(connection: NativeConnection, client: Client): TemporalCalls {
  return {
    call: (ask, timeoutMs = ANSWER_WITHIN_MS) => withDeadline(connection, timeoutMs, () => ask(client)),
  };
}
