import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { ApiError } from './api-client.ts';

/** What the command line ends with (spec section 8). */
export const EXIT = { completed: 0, failed: 1, usage: 2, cancelled: 3, waitsAtGate: 4 } as const;

/** The exit code that tells a run's state. */
export function exitCodeOf({ status, pendingSignals }: WorkflowStatus): number {
  if (status === 'COMPLETED') return EXIT.completed;
  if (status === 'CANCELLED') return EXIT.cancelled;
  if (status === 'RUNNING' && pendingSignals.includes('approval')) return EXIT.waitsAtGate;
  return EXIT.failed;
}

/** A request that is wrong, or names what is not there, is a matter of usage: so a failed run is told from one never started. */
export function exitCodeOfError(error: unknown): number {
  return error instanceof ApiError && [400, 404, 413].includes(error.status) ? EXIT.usage : EXIT.failed;
}
