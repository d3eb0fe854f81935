/** States of a run as `/status` tells them. */
import type { WorkflowStatus } from '../../../src/schemas/api-run-answers.ts';

export function runStatus(changes: Partial<WorkflowStatus> = {}): WorkflowStatus {
  return {
    workflowId: 'pipeline-p-2026-02-12T06:00:00.000Z',
    runId: 'r',
    status: 'RUNNING',
    startedAt: '2026-02-12T06:00:00.000Z',
    currentActivity: null,
    progress: 0,
    activities: [],
    retries: 0,
    pendingSignals: [],
    executionId: 'e1',
    ...changes,
  };
}

export const atGate = runStatus({ pendingSignals: ['approval'], currentActivity: 'wait_for_approval', progress: 0.5 });
