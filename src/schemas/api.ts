/**
 * What the HTTP API takes and answers (spec section 4): these schemas validate requests, type the services behind the
 * routes and are what OpenAPI shows. Names are camelCase but inside a pipeline's `definition`.
 */
import * as z from 'zod';
import { pipelineDocument } from './definition.ts';

// What PostgreSQL's timestamps, JavaScript's dates and ISO 8601 without a sign all have.
const EARLIEST = Date.parse('0001-01-02T00:00:00Z');
const LATEST = Date.parse('9999-12-30T00:00:00Z');

/** An instant in a request: ISO 8601 with an offset. */
const instant = z.iso.datetime({ offset: true, error: 'expected ISO 8601 with an offset' }).refine((text) => {
  const at = Date.parse(text);
  return at >= EARLIEST && at <= LATEST;
}, 'expected a time in the years 1 to 9999');
/** An instant in an answer: ISO 8601 in UTC. */
const answeredInstant = z.iso.datetime();
const count = z.int().min(0);
const scalar = z.union([z.string(), z.number(), z.boolean()]);

// Requests: paths and queries

/** An id or a name in a path. */
export const pathId = z
  .string()
  .regex(/^[^\u0000-\u001f\u007f]{1,255}$/, 'expected 1 to 255 characters, none of them a control character');

/** A whole number as it stands in a query. */
function queryInteger(minimum: number, maximum: number, otherwise: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `expected a whole number from ${minimum} to ${maximum}`)
    .transform(Number)
    .refine((n) => n >= minimum && n <= maximum, `expected a whole number from ${minimum} to ${maximum}`)
    .default(otherwise)
    .meta({
      override: ({ jsonSchema }) => {
        delete jsonSchema.pattern;
        Object.assign(jsonSchema, { type: 'integer', minimum, maximum, default: otherwise });
      },
    });
}

const paging = { page: queryInteger(0, 999_999_999, 0), size: queryInteger(1, 100, 20) };
export const pageQuery = z.strictObject(paging);

const RUN_STATUSES = ['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'ROLLED_BACK', 'TERMINATED', 'TIMED_OUT'] as const;
const runStatus = z.enum(RUN_STATUSES).meta({ id: 'RunStatus', description: "The run's outcome; RUNNING until then." });

const filterText = z.string().regex(/^[^\u0000-\u001f\u007f]{1,255}$/, 'expected 1 to 255 printable characters');
export const executionsQuery = z.strictObject({
  ...paging,
  status: z.enum(RUN_STATUSES).optional(),
  pipeline: filterText.optional().meta({ description: 'Id or name.' }),
  tag: filterText.optional(),
  trigger: filterText.optional(),
  from: instant
    .transform((text) => new Date(text))
    .optional()
    .meta({ description: 'Submitted at or after.' }),
  to: instant
    .transform((text) => new Date(text))
    .optional()
    .meta({ description: 'Submitted before.' }),
});
export const auditQuery = z.strictObject({
  ...paging,
  subject: filterText.optional().meta({ description: 'The id of what was changed.' }),
  actor: filterText.optional(),
  action: filterText.optional().meta({ description: 'Such as pipeline.create.' }),
});

// Requests: bodies

export const pipelineBody = pipelineDocument.meta({ id: 'PipelineDocument' });

export const executeBody = z
  .strictObject({
    parameters: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/), scalar).default({}),
    interval: z
      .strictObject({ start: instant, end: instant })
      .refine(({ start, end }) => Date.parse(start) < Date.parse(end), {
        error: 'expected an end after the start',
        path: ['end'],
      })
      .optional(),
    engine_override: z.enum(['duckdb', 'spark']).optional(),
    priority: z.enum(['LOW', 'NORMAL', 'HIGH']).optional(),
  })
  .meta({ id: 'ExecuteRequest' });

export const retryBody = z
  .strictObject({
    fromStep: z
      .string()
      .max(255)
      .regex(/^(extract|quality|gate|notify|(extract|transform|load):[A-Za-z_][A-Za-z0-9_-]{0,62})$/, {
        error: 'expected extract, extract:<source>, quality, gate, transform:<name>, load:<sink> or notify',
      })
      .optional(),
  })
  .meta({ id: 'RetryRequest' });

const freeText = z.string().max(2000);
const nothing = z.strictObject({}).prefault({});
export const signalBody = z
  .discriminatedUnion('name', [
    z.strictObject({
      name: z.literal('approval'),
      data: z.strictObject({ approved: z.boolean(), comment: freeText.optional() }),
    }),
    z.strictObject({
      name: z.literal('cancellation'),
      data: z.strictObject({ reason: freeText.optional() }).prefault({}),
    }),
    z.strictObject({ name: z.literal('pause'), data: nothing }),
    z.strictObject({ name: z.literal('resume'), data: nothing }),
  ])
  .meta({ id: 'SignalRequest' });

// Answers

const ERROR_CODES = [
  'VALIDATION_FAILED',
  'UNAUTHORIZED',
  'TOKEN_EXPIRED',
  'FORBIDDEN',
  'TENANT_MISMATCH',
  'RESOURCE_NOT_FOUND',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'SERVICE_UNAVAILABLE',
] as const;
const ERROR_CATEGORIES = [
  'VALIDATION',
  'AUTHENTICATION',
  'AUTHORIZATION',
  'RESOURCE',
  'CONFLICT',
  'RATE_LIMIT',
  'SYSTEM',
] as const;

const fault = z
  .object({ path: z.string(), message: z.string() })
  .meta({ id: 'Fault', description: 'Where in the request, and what was expected there.' });

export const errorAnswer = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(ERROR_CODES),
      category: z.enum(ERROR_CATEGORIES),
      message: z.string(),
      details: z.array(fault),
    }),
    metadata: z.object({ timestamp: answeredInstant, requestId: z.string() }),
  })
  .meta({ id: 'Error' });

const pagination = z
  .object({
    page: count,
    size: count,
    total: count,
    totalPages: count,
    hasNext: z.boolean(),
    hasPrevious: z.boolean(),
  })
  .meta({ id: 'Pagination' });

function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), pagination });
}

export const pipelineWritten = z
  .object({
    pipelineId: z.string(),
    name: z.string(),
    version: z.string(),
    revision: z.int().min(1),
    status: z.enum(['CREATED', 'UPDATED']),
    createdAt: answeredInstant.meta({ description: 'When this revision was made.' }),
  })
  .meta({ id: 'PipelineWritten' });

const pipelineSummary = z
  .object({
    pipelineId: z.string(),
    name: z.string(),
    version: z.string(),
    revision: z.int().min(1),
    enabled: z.boolean().meta({ description: 'Whether its schedule starts runs; starting one by hand always works.' }),
    description: z.string().optional(),
    owner: z.string().optional(),
    tags: z.array(z.string()),
    createdAt: answeredInstant,
    updatedAt: answeredInstant,
  })
  .meta({ id: 'PipelineSummary' });
export const pipelineAnswer = pipelineSummary
  .extend({
    parameters: z.record(z.string(), z.unknown()),
    definition: z.record(z.string(), z.unknown()).meta({ description: 'As it was sent, placeholders included.' }),
  })
  .meta({ id: 'Pipeline' });
export const pipelinePage = pageOf(pipelineSummary).meta({ id: 'PipelinePage' });

const revision = z
  .object({
    revision: z.int().min(1),
    version: z.string(),
    createdAt: answeredInstant,
    createdBy: z.string(),
    document: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Revision' });
export const revisionPage = pageOf(revision).meta({ id: 'RevisionPage' });

export const validationAnswer = z
  .object({ valid: z.boolean(), errors: z.array(fault) })
  .meta({ id: 'ValidationAnswer' });

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
    severity: z.enum(['INFO', 'WARNING', 'ERROR', 'CRITICAL']),
    weight: z.number(),
    passed: z.boolean(),
    observed: z.unknown().optional(),
    failingRows: count.optional(),
    examples: z.array(z.record(z.string(), z.unknown())).optional(),
  })
  .meta({ id: 'QualityCheckOutcome' });
export const qualityReportAnswer = z
  .looseObject({ executionId: z.string(), score: z.number().min(0).max(1), checks: z.array(qualityCheckOutcome) })
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
export const approvalPage = pageOf(pendingApproval).meta({ id: 'ApprovalPage' });

const auditEntry = z
  .object({
    entry: count,
    at: answeredInstant,
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    details: z.unknown(),
    requestId: z.string(),
  })
  .meta({ id: 'AuditEntry' });
export const auditPage = pageOf(auditEntry).meta({ id: 'AuditPage' });

export const healthAnswer = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
export const readinessAnswer = z
  .object({
    status: z.enum(['ready', 'not ready']),
    dependencies: z.record(z.string(), z.object({ ok: z.boolean(), error: z.string().optional() })),
  })
  .meta({ id: 'Readiness' });

export type PageQuery = z.output<typeof pageQuery>;
export type ExecutionFilters = Omit<z.output<typeof executionsQuery>, 'page' | 'size'>;
export type ExecuteBody = z.output<typeof executeBody>;
export type RetryBody = z.output<typeof retryBody>;
export type SignalBody = z.output<typeof signalBody>;
export type ErrorAnswer = z.output<typeof errorAnswer>;
export type PipelineWritten = z.output<typeof pipelineWritten>;
export type PipelineSummary = z.output<typeof pipelineSummary>;
export type PipelineAnswer = z.output<typeof pipelineAnswer>;
export type Revision = z.output<typeof revision>;
export type StartedRun = z.output<typeof startedRun>;
export type Execution = z.output<typeof executionAnswer>;
export type Step = z.output<typeof step>;
export type LogLine = z.output<typeof logLine>;
export type QualityReportAnswer = z.output<typeof qualityReportAnswer>;
export type WorkflowStatus = z.output<typeof workflowStatus>;
export type PendingApproval = z.output<typeof pendingApproval>;
