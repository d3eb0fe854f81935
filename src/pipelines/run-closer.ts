/** Runs that ended without saying so: terminated, or timed out by the server. Their outcome is recorded when it is found. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Metrics } from '../metrics/metrics.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { PIPELINE_WORKFLOW, type RunOutcome } from '../workflows/messages.ts';

export interface RunCloser {
  /** Records the outcome that Temporal tells of a closed workflow; answers the run as it stands now. */
  settle(run: RunRow, description: WorkflowExecutionDescription | 'forgotten'): Promise<RunRow>;
}

const OUTCOMES: Record<string, { status: RunOutcome; reason: string } | undefined> = {
  TERMINATED: { status: 'TERMINATED', reason: 'The workflow was terminated' },
  TIMED_OUT: { status: 'TIMED_OUT', reason: 'Deadline exceeded' },
  CANCELLED: { status: 'CANCELLED', reason: 'Cancelled' },
};

export function createRunCloser(store: Store, metrics: Metrics): RunCloser {
  return {
    async settle(run, description) {
      const told = description === 'forgotten' ? 'TERMINATED' : description.status.name;
      // A workflow that ends by itself records its outcome before; one that did not has failed in its own code.
      const outcome = OUTCOMES[told] ?? { status: 'FAILED' as const, reason: `The workflow ended as ${told}` };
      const { first } = await store.runs.close({
        executionId: run.executionId,
        ...outcome,
        result: { ...outcome, rowsProcessed: 0, durationMs: Date.now() - run.submittedAt.getTime(), outputs: {} },
        rowsProcessed: 0,
        bytesProcessed: 0,
        watermarks: [],
      });
      if (first) {
        const labels = { workflow_type: PIPELINE_WORKFLOW };
        if (outcome.status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
        else metrics.workflowFailed.inc(labels);
      }
      return store.runs.get(run.executionId);
    },
  };
}
