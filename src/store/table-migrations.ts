/** Schema migrations of tables: submitted, begun, decided, closed, opened again by a retry. Their steps: `table-migration-steps.ts`. */
import { and, arrayOverlaps, asc, count, desc, eq, gt, inArray, isNull, lt, ne, sql } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { MigrationResult, MigrationTask } from '../workflows/migration-messages.ts';
import type { Database } from './database.ts';
import { settleGate } from './gate-answers.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { tableMigrations, tableMigrationSteps } from './migration-schema.ts';
import { gateAnswers, gates } from './schema.ts';
import { storableText } from './storable-text.ts';
import { type NewMigrationStep, settleSteps } from './table-migration-steps.ts';

export type MigrationRow = typeof tableMigrations.$inferSelect;
export type NewMigration = Pick<
  MigrationRow,
  | 'migrationId'
  | 'tenant'
  | 'name'
  | 'document'
  | 'workflowId'
  | 'task'
  | 'tables'
  | 'requestId'
  | 'submittedBy'
  | 'submittedAt'
>;

const NOW = sql`clock_timestamp()`;
const EXPIRED_AT_ONCE = 50;
/** Dry runs whose process died before it could forget them. */
const DRY_RUNS_KEPT = sql`clock_timestamp() - interval '1 hour'`;
/** Of the advisory lock under which it is decided whether a table is free. */
const TABLES_LOCK = 7_301_201;

export function tableMigrationRepository(database: Database) {
  return {
    /**
     * A new migration, RUNNING, with its steps; one that was inserted before by the same request stays as it is.
     *
     * @throws ServiceError CONFLICT when another open one changes one of its tables
     */
    async insert(migration: NewMigration, steps: NewMigrationStep[]): Promise<MigrationRow> {
      return database.transaction(async (tx) => {
        if (migration.task !== 'VALIDATE') await refuseBusyTables(tx, migration);
        const [inserted] = await tx
          .insert(tableMigrations)
          .values({ ...migration, status: 'RUNNING' })
          .onConflictDoNothing()
          .returning();
        if (inserted === undefined) return getMigration(tx, migration.migrationId);
        await planSteps(tx, migration.migrationId, steps);
        return inserted;
      });
    },

    async find(tenant: string, migrationId: string): Promise<MigrationRow | undefined> {
      const [row] = await database
        .select()
        .from(tableMigrations)
        .where(and(eq(tableMigrations.migrationId, migrationId), eq(tableMigrations.tenant, tenant)));
      return row;
    },

    async findByWorkflowId(tenant: string, workflowId: string): Promise<MigrationRow | undefined> {
      const [row] = await database
        .select()
        .from(tableMigrations)
        .where(and(eq(tableMigrations.workflowId, workflowId), eq(tableMigrations.tenant, tenant)));
      return row;
    },

    /** For those who run it: of any tenant. RESOURCE_NOT_FOUND when it is not there (any more). */
    get: (migrationId: string): Promise<MigrationRow> => getMigration(database, migrationId),

    /** Newest first, without dry runs. */
    async list(tenant: string, page: Page): Promise<PageOf<MigrationRow>> {
      const wanted = and(eq(tableMigrations.tenant, tenant), ne(tableMigrations.task, 'VALIDATE'));
      const [counted] = await database.select({ total: count() }).from(tableMigrations).where(wanted);
      const items = await database
        .select()
        .from(tableMigrations)
        .where(wanted)
        .orderBy(desc(tableMigrations.submittedAt), desc(tableMigrations.migrationId))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** Temporal has its workflow. True for the one call that recorded it first, so that metrics count once. */
    async markStarted(migrationId: string, runId: string): Promise<boolean> {
      const marked = await database
        .update(tableMigrations)
        .set({ runId, startedAt: NOW })
        .where(
          and(
            eq(tableMigrations.migrationId, migrationId),
            eq(tableMigrations.status, 'RUNNING'),
            isNull(tableMigrations.runId),
          ),
        )
        .returning({ migrationId: tableMigrations.migrationId });
      return marked.length > 0;
    },

    /** Forgets one that could not be started, or a dry run. False when Temporal has it after all, or nothing is there. */
    async abandon(migrationId: string): Promise<boolean> {
      return database.transaction(async (tx) => {
        const abandoned = await tx
          .delete(tableMigrations)
          .where(
            and(
              eq(tableMigrations.migrationId, migrationId),
              isNull(tableMigrations.runId),
              eq(tableMigrations.round, 1),
            ),
          )
          .returning({ migrationId: tableMigrations.migrationId });
        await forgetSteps(
          tx,
          abandoned.map((one) => one.migrationId),
        );
        return abandoned.length > 0;
      });
    },

    /** Forgets a dry run, whose answer was given. */
    async forgetDryRun(migrationId: string): Promise<void> {
      await database.transaction(async (tx) => {
        const dry = and(eq(tableMigrations.migrationId, migrationId), eq(tableMigrations.task, 'VALIDATE'));
        const gone = await tx.delete(tableMigrations).where(dry).returning({ id: tableMigrations.migrationId });
        await forgetSteps(
          tx,
          gone.map(({ id }) => id),
        );
      });
    },

    /** All targets are as they should be. Again, the same. */
    async decide(migrationId: string, round: number): Promise<void> {
      await database
        .update(tableMigrations)
        .set({ decidedAt: sql`coalesce(${tableMigrations.decidedAt}, ${NOW})` })
        .where(
          and(
            eq(tableMigrations.migrationId, migrationId),
            eq(tableMigrations.round, round),
            eq(tableMigrations.status, 'RUNNING'),
          ),
        );
    },

    /** Closes it with its gate and its steps. True for the one call that closed it. */
    async close(migrationId: string, result: MigrationResult, cause: string | null): Promise<boolean> {
      return database.transaction(async (tx) => {
        const [closed] = await tx
          .update(tableMigrations)
          .set({
            status: result.status,
            reason: result.reason === undefined ? null : storableText(result.reason),
            cause: cause === null ? null : storableText(cause),
            result,
            finishedAt: NOW,
          })
          .where(and(eq(tableMigrations.migrationId, migrationId), eq(tableMigrations.status, 'RUNNING')))
          .returning();
        if (closed === undefined) return false;
        const open = await tx.select().from(gates).where(eq(gates.migrationId, migrationId));
        for (const { executionId } of open) await settleGate(tx, executionId, 'closed');
        await settleSteps(tx, migrationId);
        return true;
      });
    },

    /**
     * To be worked at again: a FAILED or TERMINATED one is put back where that is left to be done, one that was put back,
     * or never changed anything, is tried from the start. The same request again finds what it did.
     *
     * @throws ServiceError CONFLICT when it is open, or COMPLETED, or another one changes one of its tables
     */
    async reopen(migrationId: string, request: string, steps: NewMigrationStep[]): Promise<MigrationRow> {
      return database.transaction(async (tx) => {
        const before = await lockMigration(tx, migrationId);
        if (before.reopenedBy === request) return before;
        if (before.status === 'RUNNING') throw new ServiceError('CONFLICT', 'The migration is at work');
        if (before.status === 'COMPLETED') throw new ServiceError('CONFLICT', 'The migration is COMPLETED');
        await refuseBusyTables(tx, before);
        const task: MigrationTask = ['FAILED', 'TERMINATED'].includes(before.status) ? 'RESTORE' : 'MIGRATE';
        if (task === 'MIGRATE') {
          await forgetSteps(tx, [migrationId]);
          await planSteps(tx, migrationId, steps);
        }
        const [row] = await tx
          .update(tableMigrations)
          .set({
            task,
            round: before.round + (task === 'MIGRATE' ? 1 : 0),
            status: 'RUNNING',
            reopenedBy: request,
            runId: null,
            decidedAt: null,
            startedAt: NOW,
            finishedAt: null,
            reason: null,
            result: null,
          })
          .where(eq(tableMigrations.migrationId, migrationId))
          .returning();
        return row ?? before;
      });
    },

    /** Open ones by their ids, from the one after: for going through all of them in portions. */
    async open(limit: number, afterMigrationId = ''): Promise<MigrationRow[]> {
      return database
        .select()
        .from(tableMigrations)
        .where(and(eq(tableMigrations.status, 'RUNNING'), gt(tableMigrations.migrationId, afterMigrationId)))
        .orderBy(asc(tableMigrations.migrationId))
        .limit(limit);
    },

    /** Forgets those that were closed before; not those that left something to be put back, which only they know. */
    async expire(closedBefore: Date): Promise<number> {
      return database.transaction(async (tx) => {
        const dry = await tx
          .delete(tableMigrations)
          .where(and(eq(tableMigrations.task, 'VALIDATE'), lt(tableMigrations.submittedAt, DRY_RUNS_KEPT)))
          .returning({ id: tableMigrations.migrationId });
        const expired = await tx
          .select({ id: tableMigrations.migrationId })
          .from(tableMigrations)
          .where(
            and(
              inArray(tableMigrations.status, ['COMPLETED', 'ROLLED_BACK', 'CANCELLED']),
              lt(tableMigrations.finishedAt, closedBefore),
            ),
          )
          .limit(EXPIRED_AT_ONCE)
          .for('update', { skipLocked: true });
        const ids = [...dry, ...expired].map(({ id }) => id);
        if (ids.length === 0) return 0;
        const theirs = tx.select({ id: gates.executionId }).from(gates).where(inArray(gates.migrationId, ids));
        await tx.delete(gateAnswers).where(inArray(gateAnswers.executionId, theirs));
        await tx.delete(gates).where(inArray(gates.migrationId, ids));
        await forgetSteps(tx, ids);
        await tx.delete(tableMigrations).where(inArray(tableMigrations.migrationId, ids));
        return expired.length;
      });
    },
  };
}

/** Until the transaction ends, nobody else decides whether tables are free. */
async function refuseBusyTables(
  transaction: Database,
  { migrationId, tenant, tables }: Pick<MigrationRow, 'migrationId' | 'tenant' | 'tables'>,
): Promise<void> {
  await transaction.execute(sql`select pg_advisory_xact_lock(${TABLES_LOCK})`);
  const [busy] = await transaction
    .select({ migrationId: tableMigrations.migrationId, tenant: tableMigrations.tenant })
    .from(tableMigrations)
    .where(
      and(
        eq(tableMigrations.status, 'RUNNING'),
        ne(tableMigrations.task, 'VALIDATE'),
        ne(tableMigrations.migrationId, migrationId),
        arrayOverlaps(tableMigrations.tables, tables),
      ),
    )
    .limit(1);
  if (busy === undefined) return;
  const which = busy.tenant === tenant ? `: ${busy.migrationId}` : '';
  throw new ServiceError('CONFLICT', `Another migration of one of these tables is at work${which}`);
}

async function planSteps(transaction: Database, migrationId: string, steps: NewMigrationStep[]): Promise<void> {
  const rows = steps.map((step) => ({ ...step, migrationId, status: 'PENDING' as const }));
  await transaction.insert(tableMigrationSteps).values(rows).onConflictDoNothing();
}

async function forgetSteps(transaction: Database, migrationIds: string[]): Promise<void> {
  if (migrationIds.length === 0) return;
  await transaction.delete(tableMigrationSteps).where(inArray(tableMigrationSteps.migrationId, migrationIds));
}

async function getMigration(database: Database, migrationId: string): Promise<MigrationRow> {
  const [row] = await database.select().from(tableMigrations).where(eq(tableMigrations.migrationId, migrationId));
  if (row === undefined) throw notFound(migrationId);
  return row;
}

async function lockMigration(transaction: Database, migrationId: string): Promise<MigrationRow> {
  const [row] = await transaction
    .select()
    .from(tableMigrations)
    .where(eq(tableMigrations.migrationId, migrationId))
    .for('update');
  if (row === undefined) throw notFound(migrationId);
  return row;
}

function notFound(migrationId: string): ServiceError {
  return new ServiceError('RESOURCE_NOT_FOUND', `There is no migration ${migrationId}`);
}
