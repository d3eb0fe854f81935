/** Backfills: submitted, told what to do, closed, opened again by a retry. Their partitions: `backfill-partitions.ts`. */
import { and, asc, count, eq, gt, inArray, isNull, lt, ne, sql } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { BackfillControl, BackfillStatus } from '../workflows/backfill-messages.ts';
import { backfillPartitionRepository } from './backfill-partitions.ts';
import type { Database } from './database.ts';
import { runClosing } from './run-closing.ts';
import { backfillPartitions, backfills } from './backfill-schema.ts';
import { runs } from './schema.ts';

export type BackfillRow = typeof backfills.$inferSelect;
export type NewBackfill = Omit<
  BackfillRow,
  'runId' | 'planned' | 'round' | 'control' | 'status' | 'reason' | 'startedAt' | 'finishedAt'
>;

export type BackfillClosing =
  /** Partitions are left to be processed: it goes on. */
  { closed: false } | { closed: true; first: boolean; row: BackfillRow };

const NOW = sql`clock_timestamp()`;
const EXPIRED_AT_ONCE = 20;

export function backfillRepository(database: Database) {
  return {
    /** A new backfill; one that was inserted before by the same request stays as it is. */
    async insert(backfill: NewBackfill): Promise<BackfillRow> {
      const [inserted] = await database
        .insert(backfills)
        .values({ ...backfill, control: 'RUN', status: 'RUNNING' })
        .onConflictDoNothing()
        .returning();
      return inserted ?? (await getBackfill(database, backfill.backfillId));
    },

    async find(tenant: string, backfillId: string): Promise<BackfillRow | undefined> {
      const [row] = await database
        .select()
        .from(backfills)
        .where(and(eq(backfills.backfillId, backfillId), eq(backfills.tenant, tenant)));
      return row;
    },

    /** For those who run it: of any tenant. RESOURCE_NOT_FOUND when it is not there (any more). */
    get: (backfillId: string): Promise<BackfillRow> => getBackfill(database, backfillId),

    /** Temporal has its workflow. */
    async markStarted(backfillId: string, runId: string): Promise<void> {
      await database
        .update(backfills)
        .set({ runId, startedAt: sql`coalesce(${backfills.startedAt}, ${NOW})` })
        .where(eq(backfills.backfillId, backfillId));
    },

    /** Forgets one that could not be started. False when Temporal has it after all. */
    async abandon(backfillId: string): Promise<boolean> {
      const abandoned = await database
        .delete(backfills)
        .where(and(eq(backfills.backfillId, backfillId), isNull(backfills.runId), eq(backfills.planned, 0)))
        .returning({ backfillId: backfills.backfillId });
      return abandoned.length > 0;
    },

    /** False when it is closed, or being cancelled, which is final. */
    async setControl(backfillId: string, control: BackfillControl): Promise<boolean> {
      const set = await database
        .update(backfills)
        .set({ control })
        .where(
          and(eq(backfills.backfillId, backfillId), eq(backfills.status, 'RUNNING'), ne(backfills.control, 'CANCEL')),
        )
        .returning({ backfillId: backfills.backfillId });
      return set.length > 0;
    },

    /**
     * Partitions that failed, or were cancelled, are to be processed again; answers how many, those that were never
     * planned among them. CONFLICT when there are none.
     */
    async reopen(backfillId: string): Promise<number> {
      return database.transaction(async (tx) => {
        const before = await lockBackfill(tx, backfillId);
        if (before.status === 'RUNNING' && before.control === 'CANCEL') {
          throw new ServiceError('CONFLICT', 'The backfill is being cancelled: wait for its end');
        }
        const again = await tx
          .update(backfillPartitions)
          .set({ state: 'PENDING', round: before.round + 1, error: null, startedAt: null, finishedAt: null })
          .where(
            and(
              eq(backfillPartitions.backfillId, backfillId),
              inArray(backfillPartitions.state, ['FAILED', 'CANCELLED']),
            ),
          )
          .returning({ position: backfillPartitions.position });
        const unplanned = before.status === 'RUNNING' ? 0 : before.partitions - before.planned;
        if (again.length + unplanned === 0) {
          throw new ServiceError('CONFLICT', 'No partition has failed: nothing is left to retry');
        }
        await tx
          .update(backfills)
          .set({
            round: before.round + 1,
            ...(before.status !== 'RUNNING' && { control: 'RUN', status: 'RUNNING', startedAt: NOW }),
            reason: null,
            finishedAt: null,
          })
          .where(eq(backfills.backfillId, backfillId));
        return again.length + unplanned;
      });
    },

    /**
     * Closes a backfill of which nothing is left to be processed. What is left is CANCELLED when the backfill was
     * cancelled, or stopped after a failure in `stoppedRound`.
     */
    async close(
      backfillId: string,
      { cancelled: taken, stoppedRound }: { cancelled: boolean; stoppedRound: number | null },
    ): Promise<BackfillClosing> {
      return database.transaction(async (tx) => {
        const before = await lockBackfill(tx, backfillId);
        if (before.status !== 'RUNNING') return { closed: true, first: false, row: before };
        const cancelled = taken || before.control === 'CANCEL';
        const left = and(
          eq(backfillPartitions.backfillId, backfillId),
          inArray(backfillPartitions.state, ['PENDING', 'RUNNING']),
        );
        if (cancelled || stoppedRound === before.round) {
          await tx.update(backfillPartitions).set({ state: 'CANCELLED', finishedAt: NOW }).where(left);
          await closeUnstarted(tx, backfillId);
        } else {
          const [counted] = await tx.select({ total: count() }).from(backfillPartitions).where(left);
          if ((counted?.total ?? 0) > 0 || before.planned < before.partitions) return { closed: false };
        }
        const { counts } = await backfillPartitionRepository(tx).counts(backfillId);
        const failed = counts.FAILED > 0 ? `${counts.FAILED} of ${before.partitions} partitions failed` : null;
        const status: BackfillStatus = cancelled ? 'CANCELLED' : failed !== null ? 'FAILED' : 'COMPLETED';
        const reason = cancelled ? 'Cancelled' : failed;
        const [row] = await tx
          .update(backfills)
          .set({ status, reason, finishedAt: NOW })
          .where(eq(backfills.backfillId, backfillId))
          .returning();
        return { closed: true, first: true, row: row ?? before };
      });
    },

    /** Its workflow was terminated: it is closed as it stands. */
    async terminate(backfillId: string): Promise<void> {
      await database.transaction(async (tx) => {
        const before = await lockBackfill(tx, backfillId);
        if (before.status !== 'RUNNING') return;
        await tx
          .update(backfillPartitions)
          .set({ state: 'CANCELLED', finishedAt: NOW })
          .where(
            and(
              eq(backfillPartitions.backfillId, backfillId),
              inArray(backfillPartitions.state, ['PENDING', 'RUNNING']),
            ),
          );
        await closeUnstarted(tx, backfillId);
        await tx
          .update(backfills)
          .set({ status: 'TERMINATED', reason: 'Terminated', finishedAt: NOW })
          .where(eq(backfills.backfillId, backfillId));
      });
    },

    /** Open ones by their ids, from the one after `afterBackfillId`: for going through all of them in portions. */
    async open(limit: number, afterBackfillId = ''): Promise<BackfillRow[]> {
      return database
        .select()
        .from(backfills)
        .where(and(eq(backfills.status, 'RUNNING'), gt(backfills.backfillId, afterBackfillId)))
        .orderBy(asc(backfills.backfillId))
        .limit(limit);
    },

    /** Forgets backfills that were closed before, with their partitions; how intervals ended stays known. */
    async expire(closedBefore: Date): Promise<number> {
      return database.transaction(async (tx) => {
        const expired = await tx
          .select({ backfillId: backfills.backfillId })
          .from(backfills)
          .where(and(ne(backfills.status, 'RUNNING'), lt(backfills.finishedAt, closedBefore)))
          .limit(EXPIRED_AT_ONCE)
          .for('update', { skipLocked: true });
        const ids = expired.map(({ backfillId }) => backfillId);
        if (ids.length === 0) return 0;
        await tx.delete(backfillPartitions).where(inArray(backfillPartitions.backfillId, ids));
        await tx.delete(backfills).where(inArray(backfills.backfillId, ids));
        return ids.length;
      });
    },
  };
}

async function getBackfill(database: Database, backfillId: string): Promise<BackfillRow> {
  const [row] = await database.select().from(backfills).where(eq(backfills.backfillId, backfillId));
  if (row === undefined) throw notFound(backfillId);
  return row;
}

/** Until the transaction ends, nobody else opens or closes it. */
async function lockBackfill(transaction: Database, backfillId: string): Promise<BackfillRow> {
  const [row] = await transaction.select().from(backfills).where(eq(backfills.backfillId, backfillId)).for('update');
  if (row === undefined) throw notFound(backfillId);
  return row;
}

/** Runs that were recorded for partitions, and whose workflow has not begun: it never will, or finds them closed. */
async function closeUnstarted(transaction: Database, backfillId: string): Promise<void> {
  const unstarted = await transaction
    .select({ executionId: runs.executionId })
    .from(runs)
    .innerJoin(backfillPartitions, eq(backfillPartitions.executionId, runs.executionId))
    .where(and(eq(backfillPartitions.backfillId, backfillId), eq(runs.status, 'RUNNING'), isNull(runs.runId)));
  const closing = runClosing(transaction);
  for (const { executionId } of unstarted) {
    await closing.close({ executionId, status: 'CANCELLED', reason: 'The backfill ended before it began' });
  }
}

function notFound(backfillId: string): ServiceError {
  return new ServiceError('RESOURCE_NOT_FOUND', `There is no backfill ${backfillId}`);
}
