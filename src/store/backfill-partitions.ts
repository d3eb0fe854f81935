/** The partitions of backfills, and how each interval of a pipeline ended the last time. */
import { and, asc, between, count, eq, inArray, notInArray, sql, sum } from 'drizzle-orm';
import type { PartitionRef, PartitionState } from '../workflows/backfill-messages.ts';
import type { Database } from './database.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { backfillPartitions, backfills, partitionOutcomes } from './backfill-schema.ts';
import type { StoredError } from './columns.ts';
import { storableText } from './storable-text.ts';

export type PartitionRow = typeof backfillPartitions.$inferSelect;
export type PartitionCounts = Record<PartitionState, number>;

export interface NewPartition extends Omit<PartitionRef, 'round'> {
  /** Why it is not to be processed. */
  skipped?: string | undefined;
}

/** Names a partition, and the round that whoever asks works in: one of an earlier round has no say any more. */
export interface PartitionAt {
  backfillId: string;
  position: number;
  round: number;
}

const NOW = sql`clock_timestamp()`;
/** Where partitions share a place, what people must see first. */
const SHOWN_FIRST: PartitionState[] = ['FAILED', 'RUNNING', 'PENDING', 'CANCELLED', 'COMPLETED', 'SKIPPED'];
/** Nobody has said yet how it ended. */
const OPEN: PartitionState[] = ['PENDING', 'RUNNING'];

export function backfillPartitionRepository(database: Database) {
  const at = ({ backfillId, position }: PartitionAt) =>
    and(eq(backfillPartitions.backfillId, backfillId), eq(backfillPartitions.position, position));
  /** To be processed, in this round. */
  const open = (partition: PartitionAt) =>
    and(
      at(partition),
      inArray(backfillPartitions.state, OPEN),
      eq(backfillPartitions.round, partition.round),
      sql`exists (select from ${backfills} where ${backfills.backfillId} = ${partition.backfillId} and ${backfills.status} = 'RUNNING')`,
    );

  /** False when it was ended before, or its round is over. */
  const end = async (
    partition: PartitionAt,
    outcome: 'COMPLETED' | 'FAILED',
    details: { rows?: number; bytes?: number; error?: StoredError },
  ): Promise<boolean> =>
    database.transaction(async (tx) => {
      const [ended] = await tx
        .update(backfillPartitions)
        .set({ ...details, state: outcome, finishedAt: NOW })
        .where(open(partition))
        .returning({ intervalStart: backfillPartitions.intervalStart, intervalEnd: backfillPartitions.intervalEnd });
      if (ended === undefined) return false;
      const record = { outcome, backfillId: partition.backfillId, finishedAt: NOW };
      const pipelineId = sql`(select ${backfills.pipelineId} from ${backfills} where ${backfills.backfillId} = ${partition.backfillId})`;
      await tx
        .insert(partitionOutcomes)
        .values({ pipelineId, ...ended, ...record })
        .onConflictDoUpdate({
          target: [partitionOutcomes.pipelineId, partitionOutcomes.intervalStart, partitionOutcomes.intervalEnd],
          set: record,
        });
      return true;
    });

  return {
    /** Adds partitions that are not there yet. */
    async plan(backfillId: string, partitions: readonly NewPartition[]): Promise<void> {
      const last = partitions.at(-1);
      if (last === undefined) return;
      const rows = partitions.map(({ position, startMs, endMs, skipped }) => ({
        backfillId,
        position,
        intervalStart: new Date(startMs),
        intervalEnd: new Date(endMs),
        state: skipped === undefined ? ('PENDING' as const) : ('SKIPPED' as const),
        reason: skipped ?? null,
      }));
      await database.transaction(async (tx) => {
        await tx.insert(backfillPartitions).values(rows).onConflictDoNothing();
        await tx
          .update(backfills)
          .set({ planned: sql`greatest(${backfills.planned}, ${last.position + 1})` })
          .where(eq(backfills.backfillId, backfillId));
      });
    },

    /** By `<start>/<end>`, in milliseconds: how intervals that begin in the range ended the last time. */
    async outcomes(
      pipelineId: string,
      { startMs, endMs }: { startMs: number; endMs: number },
    ): Promise<Map<string, 'COMPLETED' | 'FAILED'>> {
      const rows = await database
        .select()
        .from(partitionOutcomes)
        .where(
          and(
            eq(partitionOutcomes.pipelineId, pipelineId),
            between(partitionOutcomes.intervalStart, new Date(startMs), new Date(endMs)),
          ),
        );
      return new Map(
        rows.map(({ intervalStart, intervalEnd, outcome }) => [
          outcomeKey({ startMs: intervalStart.getTime(), endMs: intervalEnd.getTime() }),
          outcome,
        ]),
      );
    },

    /** The first ones that are not ended, without those that are being processed. */
    async next(backfillId: string, limit: number, exclude: number[]): Promise<PartitionRef[]> {
      const rows = await database
        .select({
          position: backfillPartitions.position,
          round: backfillPartitions.round,
          start: backfillPartitions.intervalStart,
          end: backfillPartitions.intervalEnd,
        })
        .from(backfillPartitions)
        .where(
          and(
            eq(backfillPartitions.backfillId, backfillId),
            inArray(backfillPartitions.state, OPEN),
            exclude.length === 0 ? undefined : notInArray(backfillPartitions.position, exclude),
          ),
        )
        .orderBy(asc(backfillPartitions.position))
        .limit(limit);
      return rows.map(({ position, round, start, end: stop }) => ({
        position,
        round,
        startMs: start.getTime(),
        endMs: stop.getTime(),
      }));
    },

    /** An attempt begins; undefined when the partition is not to be processed (any more), or an attempt has completed it. */
    async begin(partition: PartitionAt): Promise<{ rows: number } | 'begun' | 'over'> {
      const begun = await database
        .update(backfillPartitions)
        .set({
          state: 'RUNNING',
          attempts: sql`${backfillPartitions.attempts} + 1`,
          startedAt: sql`coalesce(${backfillPartitions.startedAt}, clock_timestamp())`,
        })
        .where(open(partition))
        .returning({ position: backfillPartitions.position });
      if (begun.length > 0) return 'begun';
      const [row] = await database.select().from(backfillPartitions).where(at(partition));
      return row?.state === 'COMPLETED' && row.round === partition.round ? { rows: row.rows ?? 0 } : 'over';
    },

    /** Its run is about to be started; false when the partition is not to be processed (any more). Doing it again is harmless. */
    async beginRun(partition: PartitionAt, executionId: string): Promise<boolean> {
      const again = sql`${backfillPartitions.executionId} is not distinct from ${executionId}`;
      const begun = await database
        .update(backfillPartitions)
        .set({
          state: 'RUNNING',
          executionId,
          attempts: sql`${backfillPartitions.attempts} + case when ${again} then 0 else 1 end`,
          startedAt: sql`coalesce(${backfillPartitions.startedAt}, clock_timestamp())`,
        })
        .where(open(partition))
        .returning({ position: backfillPartitions.position });
      return begun.length > 0;
    },

    /** True for the one call that completed it. */
    async complete(partition: PartitionAt, { rows, bytes }: { rows: number; bytes: number }): Promise<boolean> {
      return end(partition, 'COMPLETED', { rows, bytes });
    },

    async fail(partition: PartitionAt, { type, message }: StoredError): Promise<void> {
      await end(partition, 'FAILED', { error: { type, message: storableText(message) } });
    },

    async list(backfillId: string, page: Page, state?: PartitionState): Promise<PageOf<PartitionRow>> {
      const wanted = and(
        eq(backfillPartitions.backfillId, backfillId),
        state === undefined ? undefined : eq(backfillPartitions.state, state),
      );
      const [counted] = await database.select({ total: count() }).from(backfillPartitions).where(wanted);
      const items = await database
        .select()
        .from(backfillPartitions)
        .where(wanted)
        .orderBy(asc(backfillPartitions.position))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** Of those that have a row; `retries` are attempts beyond the first. */
    async counts(backfillId: string): Promise<{ counts: PartitionCounts; rows: number; retries: number }> {
      const states = await database
        .select({
          state: backfillPartitions.state,
          partitions: count(),
          rows: sum(backfillPartitions.rows),
          retries: sum(sql`greatest(${backfillPartitions.attempts} - 1, 0)`),
        })
        .from(backfillPartitions)
        .where(eq(backfillPartitions.backfillId, backfillId))
        .groupBy(backfillPartitions.state);
      const counts = noPartitions();
      for (const { state, partitions } of states) counts[state] = partitions;
      const total = (of: 'rows' | 'retries') => states.reduce((sumOf, state) => sumOf + Number(state[of] ?? 0), 0);
      return { counts, rows: total('rows'), retries: total('retries') };
    },

    /** The range in so many cells: the first of {@link SHOWN_FIRST} that a partition in it is; undefined: none has a row. */
    async grid(backfillId: string, cells: number): Promise<(PartitionState | undefined)[]> {
      const all = sql`(select ${backfills.partitions} from ${backfills} where ${backfills.backfillId} = ${backfillId})`;
      const cell = sql<number>`(${backfillPartitions.position}::bigint * ${cells}::int / ${all})::int`;
      const order = sql.join(
        SHOWN_FIRST.map((state) => sql`${state}`),
        sql`, `,
      );
      const shown = await database
        .select({
          cell: cell.as('cell'),
          rank: sql<number>`min(array_position(array[${order}], ${backfillPartitions.state}))`,
        })
        .from(backfillPartitions)
        .where(eq(backfillPartitions.backfillId, backfillId))
        .groupBy(sql`1`);
      const grid = Array.from({ length: cells }, (): PartitionState | undefined => undefined);
      for (const { cell: at, rank } of shown) grid[at] = SHOWN_FIRST[rank - 1];
      return grid;
    },

    /** Of all open backfills, for the metric. */
    async countsOfOpen(): Promise<PartitionCounts> {
      const states = await database
        .select({ state: backfillPartitions.state, partitions: count() })
        .from(backfillPartitions)
        .innerJoin(backfills, eq(backfills.backfillId, backfillPartitions.backfillId))
        .where(eq(backfills.status, 'RUNNING'))
        .groupBy(backfillPartitions.state);
      const counts = noPartitions();
      for (const { state, partitions } of states) counts[state] = partitions;
      return counts;
    },

    /** How many have ended since the instant. */
    async endedSince(backfillId: string, since: Date): Promise<number> {
      const [counted] = await database
        .select({ total: count() })
        .from(backfillPartitions)
        .where(
          and(
            eq(backfillPartitions.backfillId, backfillId),
            sql`${backfillPartitions.finishedAt} >= ${since.toISOString()}::timestamptz`,
          ),
        );
      return counted?.total ?? 0;
    },
  };
}

/** Of an interval, among the outcomes of its pipeline. */
export function outcomeKey({ startMs, endMs }: { startMs: number; endMs: number }): string {
  return `${startMs}/${endMs}`;
}

function noPartitions(): PartitionCounts {
  return { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, SKIPPED: 0, CANCELLED: 0 };
}
