/**
 * `GET /v1/pipelines/workflows/{workflowId}/status` (spec section 4). A running workflow says how far it is, Temporal
 * says what it is trying, the store remembers attempts; when no worker answers, or the run is closed, the store alone.
 */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { ServiceError } from '../errors.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { formatDuration } from '../schemas/duration.ts';
import type { RunRow } from '../store/runs.ts';
import type { StepRow } from '../store/steps.ts';
import type { Store } from '../store/store.ts';
import { type RunProgress, progressQuery, type RunStatus, type StepProgress } from '../workflows/messages.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { RunCloser } from './run-closer.ts';

/** A worker that does not answer within this is not there (spec section 4). */
const ANSWER_WITHIN_MS = 1000;

const SLOT_NOTE = 'waits until fewer runs of the pipeline work than its concurrency.max_runs';

export interface StatusDependencies {
  store: Store;
  temporal: TemporalCalls;
  closer: RunCloser;
}

export async function runStatus(
  { store, temporal, closer }: StatusDependencies,
  tenant: string,
  workflowId: string,
): Promise<WorkflowStatus> {
  const run = await store.runs.findByWorkflowId(tenant, workflowId);
  if (run === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no workflow ${workflowId}`);
  if (run.status !== 'RUNNING') return fromStore(store, run);

  const [progress, description] = await Promise.all([
    unlessAway(temporal.call((client) => client.workflow.getHandle(workflowId).query(progressQuery), ANSWER_WITHIN_MS)),
    unlessAway(temporal.call((client) => client.workflow.getHandle(workflowId).describe(), ANSWER_WITHIN_MS)),
  ]);
  if (description !== undefined && description.status.name !== 'RUNNING') {
    return fromStore(store, await closer.settle(run, description));
  }
  if (progress === undefined) return fromStore(store, run, description);
  // It closed while we asked; its record says more than it does.
  if (progress.status !== 'RUNNING') return fromStore(store, await store.runs.get(run.executionId));
  return live(run, progress, await store.steps.list(run.executionId), description);
}

/** Whatever keeps it from answering, the store still can. */
function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch(() => undefined);
}

function live(
  run: RunRow,
  progress: RunProgress,
  rows: StepRow[],
  description: WorkflowExecutionDescription | undefined,
): WorkflowStatus {
  const waitsForSlot = progress.currentActivity === 'wait_for_slot';
  const notes = waitsForSlot ? [...progress.notes, SLOT_NOTE] : progress.notes;
  const recorded = new Map(rows.map((row) => [row.step, row]));
  const steps = progress.steps.map((step): StepView => ({
    ...viewOf(recorded.get(step.step)),
    ...withoutUndefined(step),
  }));
  return {
    ...head(run, progress.status, steps, description),
    // Waiting for a slot is no activity.
    currentActivity: waitsForSlot ? null : progress.currentActivity,
    pendingSignals: progress.pendingSignals,
    paused: progress.paused,
    ...(notes.length > 0 && { notes }),
  };
}

async function fromStore(
  store: Store,
  run: RunRow,
  description?: WorkflowExecutionDescription,
): Promise<WorkflowStatus> {
  const rows = await store.steps.list(run.executionId);
  const steps = rows.map((row): StepView => ({
    step: row.step,
    activity: row.activity,
    status: row.status,
    ...viewOf(row),
  }));
  const answer = head(run, run.status, steps, description);
  if (run.status !== 'RUNNING') {
    const result = run.result as { notes?: string[] } | null;
    return {
      ...answer,
      ...(run.finishedAt && { closedAt: run.finishedAt.toISOString() }),
      ...(result?.notes && { notes: result.notes }),
      result: { status: run.status as RunStatus, ...(run.reason !== null && { reason: run.reason }), ...result },
    };
  }
  const gate = steps.find(({ step }) => step === 'gate');
  const waits = gate?.status === 'RUNNING' && (await store.gates.answerOf(run.executionId)) === undefined;
  return {
    ...answer,
    currentActivity: waits ? 'wait_for_approval' : answer.currentActivity,
    pendingSignals: waits ? ['approval'] : [],
    asOf: lastRecorded(run, rows).toISOString(),
  };
}

interface StepView extends StepProgress {
  attempts?: number;
}

function viewOf(row: StepRow | undefined): Partial<StepView> {
  if (row === undefined) return {};
  const error = row.error as { message?: string } | null;
  return {
    attempts: row.attempts,
    ...(row.startedAt && { startedAt: row.startedAt.toISOString() }),
    ...(row.finishedAt && { finishedAt: row.finishedAt.toISOString() }),
    ...(error?.message !== undefined && { error: error.message }),
  };
}

function head(
  run: RunRow,
  status: RunStatus,
  steps: StepView[],
  description: WorkflowExecutionDescription | undefined,
): WorkflowStatus {
  const pending = (step: StepView) => pendingOf(step, steps, description);
  const begun = steps.filter((step) => step.status !== 'PENDING' && step.status !== 'SKIPPED');
  return {
    workflowId: run.workflowId,
    runId: run.runId ?? '',
    status,
    startedAt: (run.startedAt ?? run.submittedAt).toISOString(),
    currentActivity: steps.find((step) => step.status === 'RUNNING')?.activity ?? null,
    progress: progressOf(status, steps),
    activities: begun.map((step) => activityOf(step, pending(step))),
    retries: retriesOf(steps.map((step) => attemptsOf(step, pending(step)))),
    pendingSignals: [],
    executionId: run.executionId,
  };
}

/** Finished steps / all steps. */
export function progressOf(status: RunStatus, steps: readonly { status: string }[]): number {
  if (status === 'COMPLETED') return 1;
  return steps.length === 0 ? 0 : Math.round((finishedSteps(status, steps) / steps.length) * 1000) / 1000;
}

/** Attempts beyond the first, of all steps together. */
export function retriesOf(attempts: readonly number[]): number {
  return attempts.reduce((total, ofStep) => total + Math.max(0, ofStep - 1), 0);
}

/** How many steps are finished; those that a stopped run never reached, or that failed, are not. */
export function finishedSteps(status: RunStatus, steps: readonly { status: string }[]): number {
  if (status === 'COMPLETED') return steps.length;
  return steps.filter((step) => step.status === 'COMPLETED' || (status === 'RUNNING' && step.status === 'SKIPPED'))
    .length;
}

function activityOf(step: StepView, pending: PendingActivity): WorkflowStatus['activities'][number] {
  const { startedAt } = step;
  // Between two attempts the record tells the end of the last one; the step goes on.
  const finishedAt = step.status === 'RUNNING' ? undefined : step.finishedAt;
  const failure = pending?.lastFailure?.message ?? step.error;
  const attempts = attemptsOf(step, pending);
  return {
    name: step.activity,
    step: step.step,
    status: step.status,
    ...(finishedAt !== undefined && startedAt !== undefined
      ? { duration: formatDuration(Date.parse(finishedAt) - Date.parse(startedAt)) }
      : startedAt !== undefined && { startedAt }),
    ...(attempts > 1 && { attempt: attempts }),
    ...(failure && { error: failure }),
  };
}

type PendingActivity = ReturnType<typeof pendingOf>;

/** What Temporal says of the step's activity while it tries. */
function pendingOf(
  { status, activity }: StepView,
  steps: readonly StepView[],
  description: WorkflowExecutionDescription | undefined,
) {
  const alike = steps.filter((step) => step.status === 'RUNNING' && step.activity === activity);
  // Temporal names the type only: of two at a time it does not tell which is meant.
  if (status !== 'RUNNING' || alike.length > 1) return undefined;
  return description?.raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
}

/** Those that began, and the one that Temporal waits to begin. */
function attemptsOf(step: StepView, pending: PendingActivity): number {
  return Math.max(step.attempts ?? 0, pending?.attempt ?? 0);
}

function lastRecorded(run: RunRow, rows: StepRow[]): Date {
  const times = rows.flatMap(({ startedAt, finishedAt }) => [startedAt, finishedAt]).filter((time) => time !== null);
  return new Date(Math.max((run.startedAt ?? run.submittedAt).getTime(), ...times.map((time) => time.getTime())));
}

function withoutUndefined(step: StepProgress): StepProgress {
  return Object.fromEntries(Object.entries(step).filter(([, value]) => value !== undefined)) as unknown as StepProgress;
}
