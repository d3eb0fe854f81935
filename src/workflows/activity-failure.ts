/** What the failure of an activity says to the workflow that called it. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

/** How often an activity is scheduled anew after its attempts ended by lost workers (spec section 2). */
export const LOST_WORKER_LIMIT = 50;

/** Whether the activity ended because its worker died or shut down, and not by anything that it reported. */
export function workerWasLost(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'HEARTBEAT';
  return cause instanceof ApplicationFailure && cause.type === 'WorkerShutdown';
}

/** What stands at the root of what an activity failed with. */
export function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root;
}

/** The message of the failure at the root of what an activity failed with. */
export function reasonOf(error: unknown): string {
  const root = rootOf(error);
  if (root instanceof TimeoutFailure) return `timed out (${root.timeoutType})`;
  return root instanceof Error ? root.message : String(root);
}
