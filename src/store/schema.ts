/**
 * The registry, the runs and the audit log, as tables of PostgreSQL (PGlite when embedded). One schema, one set of
 * migrations (`drizzle-kit generate` writes them from this file; an applied one never changes).
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });

export const pipelines = pgTable(
  'pipelines',
  {
    pipelineId: text('pipeline_id').primaryKey(),
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    revision: integer('revision').notNull(),
    enabled: boolean('enabled').notNull().default(true),
    tags: text('tags')
      .array()
      .notNull()
      .default(sql`'{}'`),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    deletedAt: instant('deleted_at'),
  },
  (t) => [
    uniqueIndex('pipelines_name')
      .on(t.tenant, t.name)
      .where(sql`deleted_at is null`),
    index('pipelines_created').on(t.tenant, t.createdAt),
  ],
);

/** Immutable: a run names the revision it was started with. */
export const pipelineRevisions = pgTable(
  'pipeline_revisions',
  {
    pipelineId: text('pipeline_id')
      .notNull()
      .references(() => pipelines.pipelineId),
    revision: integer('revision').notNull(),
    version: text('version').notNull(),
    document: jsonb('document').notNull(),
    createdAt: instant('created_at').notNull(),
    createdBy: text('created_by').notNull(),
  },
  (t) => [primaryKey({ columns: [t.pipelineId, t.revision] })],
);

export const runs = pgTable(
  'runs',
  {
    executionId: text('execution_id').primaryKey(),
    tenant: text('tenant').notNull(),
    pipelineId: text('pipeline_id').notNull(),
    pipelineName: text('pipeline_name').notNull(),
    revision: integer('revision').notNull(),
    tags: text('tags')
      .array()
      .notNull()
      .default(sql`'{}'`),
    workflowId: text('workflow_id').notNull(),
    /** Null until Temporal said that it has the workflow; the reconciler starts those that a crash left so. */
    runId: text('run_id'),
    /** The first run of a chain of retries; loads are named after it. Itself for a run that is no retry. */
    rootExecutionId: text('root_execution_id').notNull(),
    retryOf: text('retry_of'),
    trigger: text('trigger').notNull(),
    engine: text('engine').notNull(),
    priority: text('priority').notNull(),
    parameters: jsonb('parameters').notNull(),
    intervalStart: instant('interval_start'),
    intervalEnd: instant('interval_end'),
    /** The workflow's input as it was computed at the start, so that a start can be repeated exactly. */
    input: jsonb('input').notNull(),
    /** Of the run, as spec section 4 names outcomes: RUNNING until it is closed. */
    status: text('status').notNull(),
    /** waiting: for a slot of `concurrency.max_runs`; held: works; null: closed, or never limited. */
    slot: text('slot'),
    reason: text('reason'),
    rowsProcessed: bigint('rows_processed', { mode: 'number' }).notNull().default(0),
    bytesProcessed: bigint('bytes_processed', { mode: 'number' }).notNull().default(0),
    result: jsonb('result'),
    error: jsonb('error'),
    requestId: text('request_id').notNull(),
    submittedBy: text('submitted_by').notNull(),
    submittedAt: instant('submitted_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    uniqueIndex('runs_workflow').on(t.workflowId),
    index('runs_listing').on(t.tenant, t.submittedAt),
    index('runs_of_pipeline').on(t.pipelineId, t.submittedAt),
    index('runs_open')
      .on(t.status)
      .where(sql`status = 'RUNNING'`),
    /** At most one run of a chain of retries is open at a time. */
    uniqueIndex('runs_one_open_per_root')
      .on(t.rootExecutionId)
      .where(sql`status = 'RUNNING'`),
  ],
);

export const runSteps = pgTable(
  'run_steps',
  {
    executionId: text('execution_id').notNull(),
    step: text('step').notNull(),
    activity: text('activity').notNull(),
    /** PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, SKIPPED */
    status: text('status').notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** Of the attempt that owns the row: only it may finish the step. */
    attemptToken: text('attempt_token'),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    rows: bigint('rows', { mode: 'number' }),
    bytes: bigint('bytes', { mode: 'number' }),
    error: jsonb('error'),
    externalUrl: text('external_url'),
    /** The step's result as the workflow got it, for a retry of the run to reuse. */
    result: jsonb('result'),
    /** The execution whose result this step took over, in a retry. */
    reusedFrom: text('reused_from'),
  },
  (t) => [primaryKey({ columns: [t.executionId, t.step] })],
);

export const stepLogs = pgTable(
  'step_logs',
  {
    line: bigserial('line', { mode: 'number' }).primaryKey(),
    executionId: text('execution_id').notNull(),
    step: text('step').notNull(),
    attempt: integer('attempt').notNull(),
    at: instant('at').notNull(),
    level: text('level').notNull(),
    message: text('message').notNull(),
  },
  (t) => [index('step_logs_of_step').on(t.executionId, t.step, t.line)],
);

export const qualityReports = pgTable('quality_reports', {
  executionId: text('execution_id').primaryKey(),
  score: doublePrecision('score').notNull(),
  report: jsonb('report').notNull(),
  createdAt: instant('created_at').notNull(),
});

/** A gate that opened: it waits for one answer until the deadline. */
export const gates = pgTable('gates', {
  executionId: text('execution_id').primaryKey(),
  tenant: text('tenant').notNull(),
  workflowId: text('workflow_id').notNull(),
  openedAt: instant('opened_at').notNull(),
  deadlineAt: instant('deadline_at').notNull(),
  approvers: text('approvers')
    .array()
    .notNull()
    .default(sql`'{}'`),
});

/** The one answer of a gate. Its key is what makes the first answer win: people, the deadline and the end of the run all insert here. */
export const gateAnswers = pgTable('gate_answers', {
  executionId: text('execution_id')
    .primaryKey()
    .references(() => gates.executionId),
  answerId: text('answer_id').notNull(),
  /** approved, rejected, expired (nobody answered), closed (the run ended first) */
  kind: text('kind').notNull(),
  answeredBy: text('answered_by').notNull(),
  comment: text('comment'),
  answeredAt: instant('answered_at').notNull(),
  /** When the workflow is known to have it; until then it is delivered again. */
  deliveredAt: instant('delivered_at'),
});

export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    tenant: text('tenant').notNull(),
    method: text('method').notNull(),
    path: text('path').notNull(),
    key: text('key').notNull(),
    bodySha256: text('body_sha256').notNull(),
    /** Handed to the handler as the id of what it makes, so that a handler run again after a crash makes the same thing. */
    reservedId: text('reserved_id').notNull(),
    /** The process that works on it; another process may take over after the lease. */
    owner: text('owner').notNull(),
    leaseUntil: instant('lease_until').notNull(),
    responseStatus: integer('response_status'),
    responseBody: jsonb('response_body'),
    createdAt: instant('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenant, t.method, t.path, t.key] })],
);

/** Append-only: a trigger refuses update and delete. */
export const auditLog = pgTable(
  'audit_log',
  {
    entry: bigserial('entry', { mode: 'number' }).primaryKey(),
    tenant: text('tenant').notNull(),
    at: instant('at').notNull(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    subject: text('subject').notNull(),
    details: jsonb('details').notNull(),
    requestId: text('request_id').notNull(),
  },
  (t) => [index('audit_of_tenant').on(t.tenant, t.entry)],
);

/** How far an incremental source was read by the last run that completed. */
export const watermarks = pgTable(
  'watermarks',
  {
    pipelineId: text('pipeline_id').notNull(),
    source: text('source').notNull(),
    value: text('value').notNull(),
    executionId: text('execution_id').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.pipelineId, t.source] })],
);
