/** Backfills as the API takes and answers them (spec section 4). */
import * as z from 'zod';
import { answeredInstant, count, pageOf } from './api-answers.ts';
import { pageQuery, parametersGiven, queryInteger } from './api-requests.ts';

const PARTITION_STATES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED', 'CANCELLED'] as const;
const SIZES = ['hour', 'day', 'week', 'month'] as const;

/** A date is its midnight in the pipeline's time zone. */
const rangeEnd = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: 'expected a date, or ISO 8601 with an offset',
});

export const backfillBody = z
  .strictObject({
    start: rangeEnd.meta({ description: 'A date of the time zone of `partitioning`, or an instant.' }),
    end: rangeEnd.meta({ description: 'Not part of the range any more.' }),
    size: z.enum(SIZES).optional().meta({ description: "The pipeline's when left out." }),
    concurrency: z.int().min(1).max(100).default(4),
    order: z.enum(['ascending', 'descending']).default('ascending'),
    reprocess: z
      .enum(['none', 'failed', 'completed'])
      .default('none')
      .meta({ description: 'none: only partitions never done; failed: those and failed ones; completed: all.' }),
    onFailure: z.enum(['continue', 'stop']).default('continue'),
    parameters: parametersGiven.meta({ description: 'For each partition; those left out have their defaults.' }),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: 'BackfillRequest' });

/** As many cells as a terminal has room for: many partitions share one. */
const MAX_CELLS = 5000;
export const backfillQuery = z.strictObject({
  cells: queryInteger(0, MAX_CELLS, 0).meta({ description: 'Answer a grid of at most so many cells; 0: none.' }),
});

export const partitionsQuery = pageQuery.extend({ state: z.enum(PARTITION_STATES).optional() });

export const startedBackfill = z
  .object({ backfillId: z.string(), workflowId: z.string(), partitions: count })
  .meta({ id: 'StartedBackfill' });

export const backfillPreview = z
  .object({
    partitions: count,
    toRun: count,
    toSkip: count,
    data: z.array(
      z.object({
        start: z.iso.datetime({ offset: true }),
        end: z.iso.datetime({ offset: true }),
        action: z.enum(['RUN', 'SKIP']),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'BackfillPreview' });

export const backfillAnswer = z
  .object({
    backfillId: z.string(),
    workflowId: z.string(),
    pipelineId: z.string(),
    pipelineName: z.string(),
    revision: count,
    status: z.enum(['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED']),
    paused: z.boolean(),
    reason: z.string().optional(),
    progress: z.number().min(0).max(1).meta({ description: 'Partitions completed or skipped, of all.' }),
    partitions: count,
    counts: z.record(z.enum(PARTITION_STATES), count),
    rows: count.meta({ description: 'Written to sinks.' }),
    rate: z.number().min(0).nullable().meta({ description: 'Partitions ended per minute; null before the first.' }),
    estimate: z
      .object({ remainingMs: count, completesAt: answeredInstant })
      .nullable()
      .meta({ description: 'When the rest will be done at this rate; null when nobody can say.' }),
    start: z.iso.datetime({ offset: true }),
    end: z.iso.datetime({ offset: true }),
    size: z.enum(SIZES),
    timezone: z.string(),
    concurrency: count,
    order: z.enum(['ascending', 'descending']),
    reprocess: z.enum(['none', 'failed', 'completed']),
    onFailure: z.enum(['continue', 'stop']),
    parameters: parametersGiven,
    round: count.meta({ description: '1, and one more with each retry.' }),
    grid: z.array(z.enum(PARTITION_STATES)).optional().meta({
      description:
        'When cells were asked for: neighbouring partitions share one, which shows the first of FAILED, RUNNING, PENDING, CANCELLED, COMPLETED, SKIPPED that one of them is.',
    }),
    submittedAt: answeredInstant,
    submittedBy: z.string(),
    startedAt: answeredInstant.optional(),
    finishedAt: answeredInstant.optional(),
  })
  .meta({ id: 'Backfill' });

const partition = z
  .object({
    position: count,
    start: z.iso.datetime({ offset: true }),
    end: z.iso.datetime({ offset: true }),
    state: z.enum(PARTITION_STATES),
    reason: z.string().optional(),
    attempts: count,
    executionId: z
      .string()
      .optional()
      .meta({ description: 'Its last run, of a pipeline whose steps work in other systems.' }),
    rows: count.optional(),
    bytes: count.optional(),
    error: z.object({ type: z.string(), message: z.string() }).optional(),
    startedAt: answeredInstant.optional(),
    finishedAt: answeredInstant.optional(),
  })
  .meta({ id: 'BackfillPartition' });

export const partitionPage = pageOf(partition).meta({ id: 'BackfillPartitionPage' });
export const backfillTold = z
  .object({ backfillId: z.string(), status: z.literal('ACCEPTED') })
  .meta({ id: 'BackfillTold' });

export type BackfillBody = z.output<typeof backfillBody>;
export type BackfillQuery = z.output<typeof backfillQuery>;
export type PartitionsQuery = z.output<typeof partitionsQuery>;
export type StartedBackfill = z.output<typeof startedBackfill>;
export type BackfillPreview = z.output<typeof backfillPreview>;
export type BackfillAnswer = z.output<typeof backfillAnswer>;
export type PartitionAnswer = z.output<typeof partition>;
