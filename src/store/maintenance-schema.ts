/** Upkeep of tables, beside `schema.ts`. */
import { sql } from 'drizzle-orm';
import { boolean, index, json, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { MaintenancePlan, MaintenanceStatus, MaintenanceStepRecord } from '../workflows/maintenance-messages.ts';
import { instant } from './columns.ts';

/** Upkeep of Iceberg tables (spec section 2, `maintenance`). What is to be done stands here; one at a time of a table. */
export const maintenanceRuns = pgTable(
  'maintenance_runs',
  {
    maintenanceId: text('maintenance_id').primaryKey(),
    tenant: text('tenant').notNull(),
    tableName: text('table_name').notNull(),
    engine: text('engine').$type<'duckdb' | 'spark'>().notNull(),
    plan: json('plan').$type<MaintenancePlan>().notNull(),
    workflowId: text('workflow_id').notNull(),
    /** Null until Temporal said that it has the workflow; the reconciler starts those that a crash left so. */
    runId: text('run_id'),
    cancelRequested: boolean('cancel_requested').notNull().default(false),
    status: text('status').$type<MaintenanceStatus>().notNull(),
    reason: text('reason'),
    steps: json('steps').$type<MaintenanceStepRecord[]>().notNull(),
    requestId: text('request_id').notNull(),
    submittedBy: text('submitted_by').notNull(),
    submittedAt: instant('submitted_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    uniqueIndex('maintenance_runs_workflow').on(t.workflowId),
    uniqueIndex('maintenance_runs_open')
      .on(t.tableName)
      .where(sql`status = 'RUNNING'`),
    index('maintenance_runs_of_tenant').on(t.tenant, t.submittedAt),
    index('maintenance_runs_finished').on(t.finishedAt),
  ],
);
