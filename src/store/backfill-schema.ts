/** Backfills and their partitions, beside `schema.ts`. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, json, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { BackfillControl, BackfillStatus, PartitionState } from '../workflows/backfill-messages.ts';
import { instant, type StoredError } from './columns.ts';

/** Backfills (spec section 2, DataBackfillWorkflow). What is asked of one stands here; its workflow is told to look. */
export const backfills = pgTable(
  'backfills',
  {
    backfillId: text('backfill_id').primaryKey(),
    tenant: text('tenant').notNull(),
    pipelineId: text('pipeline_id').notNull(),
    pipelineName: text('pipeline_name').notNull(),
    revision: integer('revision').notNull(),
    workflowId: text('workflow_id').notNull(),
    /** Null until Temporal said that it has the workflow; the reconciler starts those that a crash left so. */
    runId: text('run_id'),
    rangeStart: instant('range_start').notNull(),
    rangeEnd: instant('range_end').notNull(),
    size: text('size').$type<'hour' | 'day' | 'week' | 'month'>().notNull(),
    timezone: text('timezone').notNull(),
    concurrency: integer('concurrency').notNull(),
    order: text('partition_order').$type<'ascending' | 'descending'>().notNull(),
    reprocess: text('reprocess').$type<'none' | 'failed' | 'completed'>().notNull(),
    onFailure: text('on_failure').$type<'continue' | 'stop'>().notNull(),
    /** As they were given, for each partition; what is not among them has its default. */
    parameters: json('parameters').$type<Record<string, string | number | boolean>>().notNull().default({}),
    /** Of the range, those to be skipped among them. */
    partitions: integer('partitions').notNull(),
    /** How many of them have a row in `backfill_partitions`: all, once the workflow has begun its work. */
    planned: integer('planned').notNull().default(0),
    /** 1, and one more with each retry. */
    round: integer('round').notNull().default(1),
    control: text('control').$type<BackfillControl>().notNull(),
    status: text('status').$type<BackfillStatus>().notNull(),
    reason: text('reason'),
    requestId: text('request_id').notNull(),
    submittedBy: text('submitted_by').notNull(),
    submittedAt: instant('submitted_at').notNull(),
    /** Of the round at work. */
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    uniqueIndex('backfills_workflow').on(t.workflowId),
    index('backfills_of_pipeline').on(t.pipelineId, t.submittedAt),
    index('backfills_open')
      .on(t.backfillId)
      .where(sql`status = 'RUNNING'`),
    index('backfills_finished').on(t.finishedAt),
  ],
);

export const backfillPartitions = pgTable(
  'backfill_partitions',
  {
    backfillId: text('backfill_id').notNull(),
    /** From 0, in the order in which they are begun. */
    position: integer('position').notNull(),
    intervalStart: instant('interval_start').notNull(),
    intervalEnd: instant('interval_end').notNull(),
    state: text('state').$type<PartitionState>().notNull(),
    /** Why it was skipped. */
    reason: text('reason'),
    /** In which it is processed, or was the last time: its loads are named after it. */
    round: integer('round').notNull().default(1),
    /** Of all rounds. */
    attempts: integer('attempts').notNull().default(0),
    /** Its run, the last one, when each partition is a run of its own. */
    executionId: text('execution_id'),
    rows: bigint('rows', { mode: 'number' }),
    bytes: bigint('bytes', { mode: 'number' }),
    error: json('error').$type<StoredError>(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    primaryKey({ columns: [t.backfillId, t.position] }),
    index('backfill_partitions_state').on(t.backfillId, t.state, t.position),
  ],
);

/** How each interval of a pipeline ended the last time that a backfill processed it: what `reprocess` goes by. */
export const partitionOutcomes = pgTable(
  'partition_outcomes',
  {
    pipelineId: text('pipeline_id').notNull(),
    intervalStart: instant('interval_start').notNull(),
    intervalEnd: instant('interval_end').notNull(),
    outcome: text('outcome').$type<'COMPLETED' | 'FAILED'>().notNull(),
    backfillId: text('backfill_id').notNull(),
    finishedAt: instant('finished_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.pipelineId, t.intervalStart, t.intervalEnd] })],
);
