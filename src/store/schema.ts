/**
 * The registry, the runs and the audit log, as tables of PostgreSQL (PGlite when embedded). One schema, one set of
 * migrations (`drizzle-kit generate` writes them from this file and the `*-schema.ts` beside it; an applied one never changes).
 *
 * Documents are `json`, not `jsonb`: nobody queries inside them, and jsonb would sort their keys, so that a pipeline's
 * sources or a repeated answer came back in another order than they were given.
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { JsonObject } from '../schemas/json.ts';
import type {
  GateAnswerKind,
  PipelineRunInput,
  PipelineRunResult,
  RunStatus,
  StepResult,
  StepStatus,
} from '../workflows/messages.ts';
import { instant, type StoredError } from './columns.ts';

/** Whether a run may work: `waiting` for a slot of its pipeline's `concurrency.max_runs`, or `held`. */
export type SlotState = 'waiting' | 'held';

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
    document: json('document').$type<JsonObject>().notNull(),
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
    parameters: json('parameters').$type<Record<string, unknown>>().notNull(),
    intervalStart: instant('interval_start'),
    intervalEnd: instant('interval_end'),
    /** The workflow's input as it was computed at the start, so that a start can be repeated exactly. */
    input: json('input').$type<PipelineRunInput>().notNull(),
    /** Of the run, as spec section 4 names outcomes: RUNNING until it is closed. */
    status: text('status').$type<RunStatus>().notNull(),
    /** Null when the run is closed or was never limited. */
    slot: text('slot').$type<SlotState>(),
    /** `concurrency.max_runs` as it was when the run was submitted; null when it was not limited. */
    maxRuns: integer('max_runs'),
    reason: text('reason'),
    rowsProcessed: bigint('rows_processed', { mode: 'number' }).notNull().default(0),
    bytesProcessed: bigint('bytes_processed', { mode: 'number' }).notNull().default(0),
    result: json('result').$type<PipelineRunResult>(),
    error: json('error').$type<StoredError>(),
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
      .on(t.pipelineId, t.submittedAt)
      .where(sql`status = 'RUNNING'`),
    index('runs_finished').on(t.finishedAt),
    index('runs_of_root').on(t.rootExecutionId),
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
    /** Its place in the plan, from 0: the order in which steps are shown. */
    position: integer('position').notNull(),
    status: text('status').$type<StepStatus>().notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** Of the attempt that owns the row: only it may finish the step. */
    attemptToken: text('attempt_token'),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    rows: bigint('rows', { mode: 'number' }),
    bytes: bigint('bytes', { mode: 'number' }),
    error: json('error').$type<StoredError>(),
    externalUrl: text('external_url'),
    /** The step's result as the workflow got it, for a retry of the run to reuse. */
    result: json('result').$type<StepResult>(),
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
    level: text('level').$type<'info' | 'warn' | 'error'>().notNull(),
    message: text('message').notNull(),
  },
  (t) => [index('step_logs_of_step').on(t.executionId, t.step, t.line)],
);

export const qualityReports = pgTable('quality_reports', {
  executionId: text('execution_id').primaryKey(),
  score: doublePrecision('score').notNull(),
  report: json('report').notNull(),
  createdAt: instant('created_at').notNull(),
});

/** A gate that opened, of a run or of a migration: it waits for one answer until the deadline. */
export const gates = pgTable(
  'gates',
  {
    executionId: text('execution_id').primaryKey(),
    tenant: text('tenant').notNull(),
    workflowId: text('workflow_id').notNull(),
    openedAt: instant('opened_at').notNull(),
    deadlineAt: instant('deadline_at').notNull(),
    approvers: text('approvers')
      .array()
      .notNull()
      .default(sql`'{}'`),
    /** Set when it is a migration's gate and no run's: the key is then that of its round. */
    migrationId: text('migration_id'),
  },
  (t) => [index('gates_deadline').on(t.deadlineAt)],
);

/** The one answer of a gate. Its key is what makes the first answer win: people, the deadline and the end of the run all insert here. */
export const gateAnswers = pgTable(
  'gate_answers',
  {
    executionId: text('execution_id')
      .primaryKey()
      .references(() => gates.executionId),
    answerId: text('answer_id').notNull(),
    /** `expired`: nobody answered; `closed`: the run ended first. */
    kind: text('kind').$type<GateAnswerKind>().notNull(),
    answeredBy: text('answered_by').notNull(),
    comment: text('comment'),
    answeredAt: instant('answered_at').notNull(),
    /** When the workflow is known to have it; until then it is delivered again. */
    deliveredAt: instant('delivered_at'),
  },
  (t) => [
    uniqueIndex('gate_answers_id').on(t.answerId),
    index('gate_answers_undelivered')
      .on(t.answeredAt)
      .where(sql`delivered_at is null`),
  ],
);

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
    /** The request that works on it; empty: it was given up, or answered. Another may take over after the lease. */
    owner: text('owner').notNull(),
    leaseUntil: instant('lease_until').notNull(),
    responseStatus: integer('response_status'),
    responseBody: json('response_body'),
    createdAt: instant('created_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenant, t.method, t.path, t.key] }),
    index('idempotency_keys_created').on(t.createdAt),
  ],
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
    details: json('details').$type<Record<string, unknown>>().notNull(),
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
    /** `watermark_column`, which the value is of; empty: nobody knows. */
    column: text('watermark_column').notNull().default(''),
    value: text('value').notNull(),
    executionId: text('execution_id').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.pipelineId, t.source] })],
);
