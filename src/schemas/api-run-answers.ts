/** What the HTTP API answers about runs (spec section 4): executions, steps, logs, quality, status, approvals. */
import * as z from 'zod';
import { answeredInstant, count, pageOf } from './api-answers.ts';
import { pendingMigration } from './api-migrations.ts';
import { RUN_STATUSES } from './api-requests.ts';

const runStatus = z.enum(RUN_STATUSES).meta({ id: 'RunStatus', description: "The run's outcome; RUNNING until then." });
const engine = z.string().meta({ description: 'duckdb or spark' });
export const startedRun = z
  .object({
    executionId: z.string(),
    workflowId: z.string(),
    runId: z.string(),
    pipelineId: z.string(),
    status: z.literal('STARTED'),
    engine,
    submittedAt: answeredInstant,
    statusUrl: z.string(),
  })
  .meta({ id: 'StartedRun' });

const outcome = z.looseObject({ status: runStatus, reason: z.string().optional() }).meta({ id: 'Outcome' });

export const executionAnswer = z
  .object({
    executionId: z.string(),
    pipelineId: z.string(),
    pipelineName: z.string(),
    revision: z.int().min(1),
    workflowId: z.string(),
    status: runStatus,
    engine,
    trigger: z.string(),
    priority: z.string(),
    tags: z.array(z.string()),
    parameters: z.record(z.string(), z.unknown()),
    interval: z.object({ start: answeredInstant, end: answeredInstant }).optional(),
    progress: z.object({
      totalTasks: count,
      completedTasks: count,
      currentTask: z.string().nullable(),
      percentage: z.number().min(0).max(100),
    }),
    metrics: z.object({ rowsProcessed: count, bytesProcessed: count, elapsedMs: count }),
    submittedAt: answeredInstant,
    submittedBy: z.string(),
    startedAt: answeredInstant,
    finishedAt: answeredInstant.optional(),
    retryOf: z.string().optional().meta({ description: 'The execution that this one is a retry of.' }),
    result: outcome.optional(),
    error: z.unknown().optional(),
  })
  .meta({ id: 'Execution' });
export const executionPage = pageOf(executionAnswer).meta({ id: 'ExecutionPage' });

const stepStatus = z.enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'SKIPPED']);
const step = z
  .object({
    step: z.string().meta({
      description: 'extract:<source>, quality, gate, transform:<name>, load:<sink> or notify',
    }),
    type: z.string().meta({ description: 'Activity type; wait_for_approval for the gate.' }),
    status: stepStatus,
    attempts: count,
    startedAt: answeredInstant.optional(),
    finishedAt: answeredInstant.optional(),
    durationMs: count.optional(),
    rows: count.optional(),
    bytes: count.optional(),
    error: z.unknown().optional(),
    externalUrl: z.string().optional(),
    reusedFrom: z.string().optional().meta({ description: 'The execution whose result a retry took over.' }),
  })
  .meta({ id: 'Step' });
export const stepsAnswer = z.object({ data: z.array(step) }).meta({ id: 'Steps' });

const logLine = z
  .object({
    at: answeredInstant,
    attempt: count,
    level: z.enum(['info', 'warn', 'error']),
    message: z.string(),
  })
  .meta({ id: 'LogLine' });
export const stepLogsAnswer = z.object({ data: z.array(logLine) }).meta({ id: 'StepLogs' });

const qualityCheckOutcome = z
  .looseObject({
    type: z.string(),
    source: z.string().optional(),
    columns: z.array(z.string()).optional(),
    severity: z.enum(['INFO', 'WARNING', 'ERROR', 'CRITICAL']),
    weight: z.number(),
    outcome: z.enum(['PASSED', 'FAILED']),
    observed: z.unknown().optional(),
    expected: z.unknown().optional(),
    failingRows: count.optional(),
    examples: z.array(z.record(z.string(), z.unknown())).optional(),
    message: z.string().optional(),
  })
  .meta({ id: 'QualityCheckOutcome' });
export const qualityReportAnswer = z
  .looseObject({
    executionId: z.string(),
    score: z.number().min(0).max(1),
    minScore: z.number().min(0).max(1).optional(),
    checks: z.array(qualityCheckOutcome),
  })
  .meta({ id: 'QualityReport' });

const statusActivity = z.object({
  name: z.string(),
  step: z.string(),
  status: stepStatus,
  duration: z.string().optional().meta({ description: 'Of a finished one, such as 5m 23s.' }),
  startedAt: answeredInstant.optional(),
  attempt: count.optional(),
  error: z.string().optional(),
});
export const workflowStatus = z
  .object({
    workflowId: z.string(),
    runId: z.string(),
    status: runStatus,
    startedAt: answeredInstant,
    currentActivity: z.string().nullable(),
    progress: z.number().min(0).max(1).meta({ description: 'Finished steps / all steps.' }),
    activities: z.array(statusActivity),
    retries: count.meta({ description: 'Attempts beyond the first, summed.' }),
    pendingSignals: z.array(z.string()),
    executionId: z.string().optional(),
    paused: z.boolean().optional(),
    notes: z.array(z.string()).optional(),
    closedAt: answeredInstant.optional(),
    result: outcome.optional(),
    asOf: answeredInstant.optional().meta({ description: 'Set when no worker answered: how old this is.' }),
  })
  .meta({ id: 'WorkflowStatus' });

export const signalAnswer = z
  .object({ workflowId: z.string(), signal: z.string(), status: z.literal('ACCEPTED') })
  .meta({ id: 'SignalAccepted' });

const pendingApproval = z
  .object({
    executionId: z.string(),
    workflowId: z.string(),
    pipelineId: z.string(),
    pipelineName: z.string(),
    openedAt: answeredInstant,
    deadlineAt: answeredInstant,
    approvers: z.array(z.string()),
    quality: qualityReportAnswer,
  })
  .meta({ id: 'PendingApproval' });
export const approvalPage = pageOf(z.union([pendingApproval, pendingMigration])).meta({ id: 'ApprovalPage' });

export type StartedRun = z.output<typeof startedRun>;
export type Execution = z.output<typeof executionAnswer>;
export type Step = z.output<typeof step>;
export type LogLine = z.output<typeof logLine>;
export type QualityReportAnswer = z.output<typeof qualityReportAnswer>;
export type WorkflowStatus = z.output<typeof workflowStatus>;
export type PendingApproval = z.output<typeof approvalPage>['data'][number];
