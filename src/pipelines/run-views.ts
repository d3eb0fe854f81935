/** Runs as the API shows them (spec section 4, executions and steps). */
import type { Execution, QualityReportAnswer, Step } from '../schemas/api-run-answers.ts';
import type { ParameterValue } from '../schemas/parameters.ts';
import type { RunRow } from '../store/runs.ts';
import type { StepRow } from '../store/steps.ts';
import { finishedSteps, progressOf } from './run-status.ts';

const BUILT_IN = new Set(['run_id', 'scheduled_at', 'interval_start', 'interval_end']);

export function executionView(run: RunRow, steps: readonly StepRow[], now = new Date()): Execution {
  const status = run.status;
  const startedAt = run.startedAt ?? run.submittedAt;
  const parameters = run.parameters as Record<string, ParameterValue>;
  const progress = progressOf(status, steps);
  return {
    executionId: run.executionId,
    pipelineId: run.pipelineId,
    pipelineName: run.pipelineName,
    revision: run.revision,
    workflowId: run.workflowId,
    status,
    engine: run.engine,
    trigger: run.trigger,
    priority: run.priority,
    tags: run.tags,
    parameters: Object.fromEntries(
      Object.entries(parameters).flatMap(([name, { value }]) => (BUILT_IN.has(name) ? [] : [[name, value]])),
    ),
    ...(run.intervalStart &&
      run.intervalEnd && {
        interval: { start: run.intervalStart.toISOString(), end: run.intervalEnd.toISOString() },
      }),
    progress: {
      totalTasks: steps.length,
      completedTasks: finishedSteps(status, steps),
      currentTask: steps.find((step) => step.status === 'RUNNING')?.step ?? null,
      percentage: Math.round(progress * 1000) / 10,
    },
    metrics: {
      rowsProcessed: run.rowsProcessed,
      bytesProcessed: run.bytesProcessed,
      elapsedMs: Math.max(0, (run.finishedAt ?? now).getTime() - startedAt.getTime()),
    },
    submittedAt: run.submittedAt.toISOString(),
    submittedBy: run.submittedBy,
    startedAt: startedAt.toISOString(),
    ...(run.finishedAt && { finishedAt: run.finishedAt.toISOString() }),
    ...(run.retryOf !== null && { retryOf: run.retryOf }),
    ...(run.result !== null && { result: { ...run.result } }),
    ...(run.error !== null && { error: run.error }),
  };
}

export function stepView(step: StepRow): Step {
  const { startedAt, finishedAt } = step;
  return {
    step: step.step,
    type: step.activity,
    status: step.status,
    attempts: step.attempts,
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
    ...(startedAt && finishedAt && { durationMs: Math.max(0, finishedAt.getTime() - startedAt.getTime()) }),
    ...(step.rows !== null && { rows: step.rows }),
    ...(step.bytes !== null && { bytes: step.bytes }),
    ...(step.error !== null && { error: step.error }),
    ...(step.externalUrl !== null && { externalUrl: step.externalUrl }),
    ...(step.reusedFrom !== null && { reusedFrom: step.reusedFrom }),
  };
}

export function qualityView(executionId: string, report: unknown): QualityReportAnswer {
  return { ...(report as QualityReportAnswer), executionId };
}
