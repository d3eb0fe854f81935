/** Schema migrations as the API takes and answers them (spec section 4). */
import * as z from 'zod';
import { answeredInstant, count, pageOf } from './api-answers.ts';
import { migrationDocument } from './migration.ts';

export const migrationBody = migrationDocument.meta({ id: 'MigrationDocument' });

export const migrationQuery = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Only look whether it can be done, and what it would concern.' }),
});

const MIGRATION_STATUSES = ['RUNNING', 'COMPLETED', 'ROLLED_BACK', 'FAILED', 'CANCELLED', 'TERMINATED'] as const;

const target = z.object({
  position: count.meta({ description: 'In the document, from 0.' }),
  type: z.enum(['iceberg', 'postgres']),
  table: z.string(),
});
const tableColumn = z.object({
  name: z.string(),
  type: z.string(),
  required: z.boolean(),
  default: z.string().optional(),
  comment: z.string().optional(),
});
const impactedPipeline = z
  .object({
    pipelineId: z.string(),
    name: z.string(),
    how: z.enum(['reads', 'writes']),
    step: z.string().meta({ description: 'extract:<source> or load:<sink>' }),
    columns: z.array(z.string()).meta({ description: 'Of the columns that change: those that it names.' }),
    mayUse: z.array(z.string()).meta({ description: 'Those that it may use, as far as its definition tells.' }),
  })
  .meta({ id: 'ImpactedPipeline' });
const validatedTarget = target
  .extend({
    rows: count,
    before: z.array(tableColumn),
    after: z.array(tableColumn),
    touched: z.array(z.string()).meta({
      description: 'Columns that are dropped, renamed, retyped or made required, by their names before that.',
    }),
    warnings: z.array(z.string()),
    impact: z.array(impactedPipeline),
  })
  .meta({ id: 'ValidatedTarget' });

const fault = z.object({ path: z.string(), message: z.string() });
export const migrationPreview = z
  .object({
    valid: z.boolean(),
    errors: z.array(fault).meta({ description: 'Of what the tables do not allow.' }),
    targets: z.array(validatedTarget).meta({ description: 'Those that can be changed.' }),
  })
  .meta({ id: 'MigrationPreview' });

export const startedMigration = z
  .object({ migrationId: z.string(), workflowId: z.string() })
  .meta({ id: 'StartedMigration' });

const leftToDo = z.object({ target: z.string(), position: count, what: z.string() });
const migrationResult = z
  .object({
    status: z.enum(MIGRATION_STATUSES),
    reason: z.string().optional(),
    leftToDo: z.array(leftToDo).optional().meta({ description: 'Of a FAILED one: what could not be put back.' }),
    notes: z.array(z.string()).optional(),
  })
  .meta({ id: 'MigrationResult' });

const migrationStep = z
  .object({
    step: z.string().meta({ description: 'validate, backup, apply, verify, restore, release:<target>, or gate' }),
    type: z.string().meta({ description: 'Activity type; wait_for_approval for the gate.' }),
    target: target.optional(),
    status: z.enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'SKIPPED']),
    attempts: count,
    startedAt: answeredInstant.optional(),
    finishedAt: answeredInstant.optional(),
    durationMs: count.optional(),
    rows: count.optional(),
    notes: z.array(z.string()).optional(),
    error: z.object({ type: z.string(), message: z.string() }).optional(),
  })
  .meta({ id: 'MigrationStep' });

const summary = {
  migrationId: z.string(),
  name: z.string(),
  workflowId: z.string(),
  status: z.enum(MIGRATION_STATUSES),
  reason: z.string().optional(),
  round: count.meta({ description: '1, and one more each time that all of it was tried again.' }),
  targets: z.array(target),
  requiresApproval: z.boolean(),
  submittedAt: answeredInstant,
  submittedBy: z.string(),
  startedAt: answeredInstant.optional(),
  finishedAt: answeredInstant.optional(),
};
export const migrationPage = pageOf(z.object(summary).meta({ id: 'MigrationSummary' })).meta({ id: 'MigrationPage' });

export const migrationAnswer = z
  .object({
    ...summary,
    steps: z.array(migrationStep),
    validation: z.array(validatedTarget).meta({ description: 'What was found of each target, its impact among it.' }),
    result: migrationResult.optional(),
  })
  .meta({ id: 'Migration' });

export const pendingMigration = z
  .object({
    migrationId: z.string(),
    migrationName: z.string(),
    workflowId: z.string(),
    openedAt: answeredInstant,
    deadlineAt: answeredInstant,
    approvers: z.array(z.string()),
    validation: z.array(validatedTarget),
  })
  .meta({ id: 'PendingMigration' });

export type MigrationPreview = z.output<typeof migrationPreview>;
export type StartedMigration = z.output<typeof startedMigration>;
export type MigrationAnswer = z.output<typeof migrationAnswer>;
export type MigrationSummary = z.output<typeof migrationPage>['data'][number];
export type ValidatedTarget = z.output<typeof validatedTarget>;
