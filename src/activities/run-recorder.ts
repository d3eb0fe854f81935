/**
 * The workflow's own records, as local activities: short, idempotent, and the only way a run's outcome, its slot and
 * its gate get into the store.
 */
import { ApplicationFailure } from '@temporalio/activity';
import type { Metrics } from '../metrics/metrics.ts';
import type { GateAnswer, PipelineRunResult, StepProgress, Watermark } from '../workflows/messages.ts';
import type { GateAnswerRow } from '../store/gate-answers.ts';
import type { Store } from '../store/store.ts';
import type { Staging } from '../engines/staging.ts';
import type { RunLoader } from './load-run.ts';

export interface ClosingRecord {
  executionId: string;
  result: PipelineRunResult;
  /** The final state of every step, for those that no activity recorded. */
  steps: StepProgress[];
  notes: string[];
  bytesProcessed: number;
  watermarks: Watermark[];
  error?: { type: string; message: string };
}

export interface RunRecorder {
  begin_run(begun: { executionId: string; runId: string }): Promise<void>;
  /** Whether the run may work now; it holds its slot until it is closed. */
  acquire_slot(wanted: { executionId: string; maxRuns: number }): Promise<boolean>;
  open_gate(gate: { executionId: string; timeoutMs: number }): Promise<{ openedAtMs: number; deadlineAtMs: number }>;
  /** The recorded answer, or null; also marks it as delivered. */
  read_gate_answer(gate: { executionId: string }): Promise<GateAnswer | null>;
  /** Nobody answered in time: takes the gate's key, or answers what had been recorded before. */
  settle_gate(gate: { executionId: string }): Promise<GateAnswer>;
  close_run(closing: ClosingRecord): Promise<void>;
}

export interface RecorderDependencies {
  store: Store;
  metrics: Metrics;
  loadRun: RunLoader;
  staging: Staging;
  /** Tells a waiting run that a slot may be free; a run that cannot be told looks for itself later. */
  wakeRun: (workflowId: string) => Promise<void>;
}

/** As metrics name it. */
export const PIPELINE_WORKFLOW_TYPE = 'DataPipelineWorkflow';

export function createRunRecorder(dependencies: RecorderDependencies): RunRecorder {
  const { store, metrics, loadRun, staging, wakeRun } = dependencies;
  return {
    async begin_run({ executionId, runId }) {
      if (await store.runs.markStarted(executionId, runId)) return;
      throw ApplicationFailure.nonRetryable('The run was given up before it began', 'RunAbandoned');
    },

    acquire_slot: ({ executionId, maxRuns }) => store.runs.acquireSlot(executionId, maxRuns),

    async open_gate({ executionId, timeoutMs }) {
      const { row, document } = await loadRun(executionId);
      const gate = await store.gates.open({
        executionId,
        tenant: row.tenant,
        workflowId: row.workflowId,
        timeoutMs,
        approvers: document.definition.quality_checks.approval.approvers,
      });
      await store.steps.setStatus(executionId, 'gate', 'RUNNING', { startedAt: gate.openedAt });
      return { openedAtMs: gate.openedAt.getTime(), deadlineAtMs: gate.deadlineAt.getTime() };
    },

    async read_gate_answer({ executionId }) {
      const answer = await store.gates.answerOf(executionId);
      if (answer === undefined) return null;
      await store.gates.markDelivered(answer.answerId);
      return forWorkflow(answer);
    },

    async settle_gate({ executionId }) {
      const answer = await store.gates.settle({ executionId, kind: 'expired' });
      await store.gates.markDelivered(answer.answerId);
      return forWorkflow(answer);
    },

    async close_run({ executionId, result, steps, notes, bytesProcessed, watermarks, error }) {
      await store.steps.settle(executionId, steps);
      const closed = await store.runs.close({
        executionId,
        status: result.status,
        reason: result.reason,
        result: { ...result, ...(notes.length > 0 && { notes }) },
        error,
        rowsProcessed: result.rowsProcessed,
        bytesProcessed,
        watermarks,
      });
      if (closed.first) {
        const labels = { workflow_type: PIPELINE_WORKFLOW_TYPE };
        metrics.workflowDurationSeconds.observe(labels, result.durationMs / 1000);
        if (result.status === 'COMPLETED') metrics.workflowCompleted.inc(labels);
        else if (result.status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
        else metrics.workflowFailed.inc(labels);
        metrics.rowsProcessed.inc({ pipeline: metrics.pipelineLabel(closed.pipelineName) }, result.rowsProcessed);
      }
      await Promise.all(closed.wake.map(wakeRun));
      if (result.status === 'COMPLETED') await dropStaging(executionId);
    },
  };

  /** What the run and those that it retries left in staging; what cannot be dropped now is when it has expired. */
  async function dropStaging(executionId: string): Promise<void> {
    const { rootExecutionId } = await store.runs.get(executionId);
    for (const { tenant, pipelineId, executionId: one } of await store.runs.ofRoot(rootExecutionId)) {
      await staging.dropRun({ tenant, pipelineId, executionId: one }).catch(() => undefined);
    }
  }
}

function forWorkflow({ answerId, kind, answeredBy, comment }: GateAnswerRow): GateAnswer {
  return { answerId, kind, answeredBy, ...(comment !== null && { comment }) };
}
