/**
 * The steps of a migration's round. An attempt owns its step's row by a token: one that was thought lost cannot overwrite
 * what its successor, or the workflow, recorded later.
 */
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { JsonObject } from '../schemas/json.ts';
import type { Database } from './database.ts';
import type { StoredError } from './columns.ts';
import { tableMigrations, tableMigrationSteps } from './migration-schema.ts';
import { storableText } from './storable-text.ts';

export type MigrationStepRow = typeof tableMigrationSteps.$inferSelect;
export type NewMigrationStep = Pick<MigrationStepRow, 'step' | 'activity' | 'position' | 'place'>;

export interface MigrationAttempt extends NewMigrationStep {
  migrationId: string;
  round: number;
  attemptToken: string;
}

const NOW = sql`clock_timestamp()`;

export function tableMigrationStepRepository(database: Database) {
  return {
    /** An attempt begins and owns the row from now on. False when the migration is closed, or in another round. */
    async started({ migrationId, round, ...step }: MigrationAttempt): Promise<boolean> {
      return database.transaction(async (tx) => {
        const [open] = await tx
          .select({ migrationId: tableMigrations.migrationId })
          .from(tableMigrations)
          .where(
            and(
              eq(tableMigrations.migrationId, migrationId),
              eq(tableMigrations.round, round),
              eq(tableMigrations.status, 'RUNNING'),
            ),
          )
          .for('share');
        if (open === undefined) return false;
        const begun = { status: 'RUNNING' as const, attemptToken: step.attemptToken };
        await tx
          .insert(tableMigrationSteps)
          .values({ ...step, ...begun, migrationId, attempts: 1, startedAt: NOW })
          .onConflictDoUpdate({
            target: [tableMigrationSteps.migrationId, tableMigrationSteps.step],
            set: {
              ...begun,
              attempts: sql`${tableMigrationSteps.attempts} + 1`,
              startedAt: sql`coalesce(${tableMigrationSteps.startedAt}, ${NOW})`,
              finishedAt: null,
              error: null,
            },
          });
        return true;
      });
    },

    /** The attempt's outcome; nothing is recorded when the row is not this attempt's any more. */
    async finished(
      { migrationId, step, attemptToken }: Pick<MigrationAttempt, 'migrationId' | 'step' | 'attemptToken'>,
      outcome: { status: 'COMPLETED' | 'FAILED' | 'CANCELLED'; error?: StoredError; result?: JsonObject },
    ): Promise<void> {
      await database
        .update(tableMigrationSteps)
        .set({
          status: outcome.status,
          error: storable(outcome.error),
          result: outcome.result ?? null,
          finishedAt: NOW,
        })
        .where(and(ofStep(migrationId, step), eq(tableMigrationSteps.attemptToken, attemptToken)));
    },

    /** The workflow's own word on a step; what the last attempt recorded stays. */
    async end(
      migrationId: string,
      step: string,
      status: 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'SKIPPED',
      error?: StoredError,
    ): Promise<void> {
      await database
        .update(tableMigrationSteps)
        .set({ status, attemptToken: null, error: storable(error), finishedAt: NOW })
        .where(and(ofStep(migrationId, step), inArray(tableMigrationSteps.status, ['PENDING', 'RUNNING'])));
    },

    /** A step of the workflow itself begins: the gate. */
    async begin(migrationId: string, step: string): Promise<void> {
      await database
        .update(tableMigrationSteps)
        .set({ status: 'RUNNING', startedAt: sql`coalesce(${tableMigrationSteps.startedAt}, ${NOW})` })
        .where(and(ofStep(migrationId, step), eq(tableMigrationSteps.status, 'PENDING')));
    },

    async find(migrationId: string, step: string): Promise<MigrationStepRow | undefined> {
      const [row] = await database.select().from(tableMigrationSteps).where(ofStep(migrationId, step));
      return row;
    },

    /** In the order in which they are shown. */
    async list(migrationId: string): Promise<MigrationStepRow[]> {
      return database
        .select()
        .from(tableMigrationSteps)
        .where(eq(tableMigrationSteps.migrationId, migrationId))
        .orderBy(asc(tableMigrationSteps.place), asc(tableMigrationSteps.step));
    },
  };
}

/** What is left when the migration ends: RUNNING steps were cut short, PENDING ones never reached. */
export async function settleSteps(transaction: Database, migrationId: string): Promise<void> {
  await transaction
    .update(tableMigrationSteps)
    .set({
      status: sql`case ${tableMigrationSteps.status} when 'RUNNING' then 'CANCELLED' else 'SKIPPED' end`,
      finishedAt: sql`case ${tableMigrationSteps.status} when 'RUNNING' then ${NOW} end`,
      attemptToken: null,
    })
    .where(
      and(
        eq(tableMigrationSteps.migrationId, migrationId),
        inArray(tableMigrationSteps.status, ['RUNNING', 'PENDING']),
      ),
    );
}

function storable(error: StoredError | undefined): StoredError | null {
  return error === undefined ? null : { ...error, message: storableText(error.message) };
}

function ofStep(migrationId: string, step: string) {
  return and(eq(tableMigrationSteps.migrationId, migrationId), eq(tableMigrationSteps.step, step));
}
