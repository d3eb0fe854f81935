/** Schema migrations of tables, beside `schema.ts`. */
import { sql } from 'drizzle-orm';
import { index, integer, json, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { JsonObject } from '../schemas/json.ts';
import type { MigrationResult, MigrationStatus, MigrationTask } from '../workflows/migration-messages.ts';
import type { StepStatus } from '../workflows/messages.ts';
import { instant, type StoredError } from './columns.ts';

/**
 * Schema migrations of tables (spec section 2, SchemaMigrationWorkflow). Not `schema_migrations`: that is where this
 * database's own are counted.
 */
export const tableMigrations = pgTable(
  'table_migrations',
  {
    migrationId: text('migration_id').primaryKey(),
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    document: json('document').$type<JsonObject>().notNull(),
    workflowId: text('workflow_id').notNull(),
    /** Null until Temporal said that it has the workflow of what is to be done now. */
    runId: text('run_id'),
    /** What its workflow is to do, or did. */
    task: text('task').$type<MigrationTask>().notNull(),
    /** 1, and one more each time that all of it is tried again. */
    round: integer('round').notNull().default(1),
    /** What it changes, as `iceberg:<table>` or by a hash of the connection: no two open ones share any. */
    tables: text('tables').array().notNull(),
    status: text('status').$type<MigrationStatus>().notNull(),
    /** When all targets were found as they should be: from then on nothing is put back. */
    decidedAt: instant('decided_at'),
    reason: text('reason'),
    /** Why it was not done; the reason also tells what could not be put back. */
    cause: text('cause'),
    result: json('result').$type<MigrationResult>(),
    /** Of the request that opened it again the last time, so that this request made again finds its own doing. */
    reopenedBy: text('reopened_by'),
    requestId: text('request_id').notNull(),
    submittedBy: text('submitted_by').notNull(),
    submittedAt: instant('submitted_at').notNull(),
    /** Of what its workflow is at, or did last. */
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    uniqueIndex('table_migrations_workflow').on(t.workflowId),
    index('table_migrations_listing').on(t.tenant, t.submittedAt),
    index('table_migrations_open')
      .on(t.migrationId)
      .where(sql`status = 'RUNNING'`),
    index('table_migrations_finished').on(t.finishedAt),
  ],
);

/** Steps of the round at work. */
export const tableMigrationSteps = pgTable(
  'table_migration_steps',
  {
    migrationId: text('migration_id').notNull(),
    step: text('step').notNull(),
    /** Activity type name; `wait_for_approval` for the gate. */
    activity: text('activity').notNull(),
    /** Of the target in the document; null for what is of all of them. */
    position: integer('position'),
    /** The order in which steps are shown. */
    place: integer('place').notNull(),
    status: text('status').$type<StepStatus>().notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** Of the attempt that owns the row: only it may finish the step. */
    attemptToken: text('attempt_token'),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    error: json('error').$type<StoredError>(),
    /** What it found: the validated table, the backup, rows, notes. */
    result: json('result').$type<JsonObject>(),
  },
  (t) => [primaryKey({ columns: [t.migrationId, t.step] })],
);
