/** Upkeep of Iceberg tables as the API takes and answers it (spec section 4). */
import * as z from 'zod';
import { answeredInstant, count, pageOf } from './api-answers.ts';
import { pageQuery } from './api-requests.ts';
import { duration, parseDurationMs } from './duration.ts';

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

const tableName = z
  .string()
  .max(255)
  .regex(/^[\w-]+(?:\.[\w-]+)+$/, 'expected namespace.table');

const expiry = z.strictObject({
  olderThan: duration.optional().meta({ description: "The table's history.expire.max-snapshot-age-ms when left out." }),
  retainLast: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .meta({ description: "The table's history.expire.min-snapshots-to-keep when left out." }),
});

const orphans = z.strictObject({
  olderThan: duration
    .refine((text) => (parseDurationMs(text) ?? 0) >= 3 * DAY_MS, {
      error: 'expected 3d at least: what is younger may be part of a commit that is under way',
    })
    .default('3d'),
});

export const compactionBody = z
  .strictObject({
    table: tableName,
    engine: z.enum(['duckdb', 'spark']).default('duckdb').meta({ description: 'Which rewrites data files.' }),
    rewriteDataFiles: z.boolean().default(true),
    targetFileSizeBytes: z
      .int()
      .min(MIB)
      .max(16 * 1024 * MIB)
      .default(512 * MIB),
    minInputFiles: z
      .int()
      .min(2)
      .max(10_000)
      .default(5)
      .meta({ description: 'Small files that are worth one commit.' }),
    expireSnapshots: z.union([z.literal(false), expiry], { error: 'expected false, or an object' }).default({}),
    removeOrphanFiles: z
      .union([z.literal(false), orphans], { error: 'expected false, or an object' })
      .default({ olderThan: '3d' }),
  })
  .meta({ id: 'CompactionRequest' });

export const maintenanceQuery = pageQuery.extend({ table: tableName.optional() });

export const startedMaintenance = z
  .object({ maintenanceId: z.string(), workflowId: z.string() })
  .meta({ id: 'StartedMaintenance' });

const size = z
  .object({
    dataFiles: count,
    bytes: count.meta({ description: 'Of the data files.' }),
    records: count,
    deleteFiles: count,
    snapshots: count,
  })
  .meta({ id: 'TableSize', description: 'The table as its current snapshot has it.' });

export const maintenanceAnswer = z
  .object({
    maintenanceId: z.string(),
    workflowId: z.string(),
    table: z.string(),
    engine: z.enum(['duckdb', 'spark']),
    status: z.enum(['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED']),
    reason: z.string().optional(),
    before: size.optional(),
    after: size.optional(),
    rewritten: z
      .object({
        rewrittenFiles: count,
        rewrittenBytes: count,
        addedFiles: count,
        addedBytes: count,
        snapshotId: z.string().nullable(),
      })
      .optional(),
    expired: z
      .object({ snapshots: count, refs: count, deletedFiles: count })
      .optional()
      .meta({ description: 'Snapshots, and branches and tags that were older than they were to become.' }),
    orphans: z
      .object({ deletedFiles: count, deletedBytes: count, unsure: z.string().optional() })
      .optional()
      .meta({ description: 'Files that no commit refers to; `unsure` says why none was removed.' }),
    steps: z.array(
      z.object({
        step: z.enum(['measure_before', 'rewrite', 'expire', 'orphans', 'measure_after']),
        status: z.enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED']),
        attempts: count.optional(),
        startedAt: answeredInstant.optional(),
        finishedAt: answeredInstant.optional(),
        error: z.object({ type: z.string(), message: z.string() }).optional(),
        externalUrl: z.string().optional(),
      }),
    ),
    submittedAt: answeredInstant,
    submittedBy: z.string(),
    startedAt: answeredInstant.optional(),
    finishedAt: answeredInstant.optional(),
  })
  .meta({ id: 'Maintenance' });

export const maintenancePage = pageOf(maintenanceAnswer).meta({ id: 'MaintenancePage' });
export const maintenanceTold = z
  .object({ maintenanceId: z.string(), status: z.literal('ACCEPTED') })
  .meta({ id: 'MaintenanceTold' });

export type CompactionBody = z.output<typeof compactionBody>;
export type MaintenanceQuery = z.output<typeof maintenanceQuery>;
export type StartedMaintenance = z.output<typeof startedMaintenance>;
export type MaintenanceAnswer = z.output<typeof maintenanceAnswer>;
