/** Upkeep of tables: submitted, worked on step by step, closed. */
import { and, asc, count, desc, eq, gt, isNull, lt, ne, sql } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { MaintenanceOutcome, MaintenanceStep, MaintenanceStepRecord } from '../workflows/maintenance-messages.ts';
import type { Database } from './database.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { maintenanceRuns } from './maintenance-schema.ts';

export type MaintenanceRow = typeof maintenanceRuns.$inferSelect;
export type NewMaintenance = Omit<
  MaintenanceRow,
  'runId' | 'cancelRequested' | 'status' | 'reason' | 'startedAt' | 'finishedAt'
>;

const NOW = sql`clock_timestamp()`;

export function maintenanceRepository(database: Database) {
  return {
    /** A new one; one that was inserted before by the same request stays as it is. CONFLICT while the table has another. */
    async insert(maintenance: NewMaintenance): Promise<MaintenanceRow> {
      const [inserted] = await database
        .insert(maintenanceRuns)
        .values({ ...maintenance, status: 'RUNNING' })
        .onConflictDoNothing()
        .returning();
      if (inserted !== undefined) return inserted;
      const before = await findById(database, maintenance.maintenanceId);
      if (before !== undefined) return before;
      const [open] = await database
        .select()
        .from(maintenanceRuns)
        .where(and(eq(maintenanceRuns.tableName, maintenance.tableName), eq(maintenanceRuns.status, 'RUNNING')));
      // What other tenants do is none of this one's business.
      const which = open?.tenant === maintenance.tenant ? `: ${open.maintenanceId}` : '';
      throw new ServiceError('CONFLICT', `${maintenance.tableName} is being maintained already${which}`);
    },

    async find(tenant: string, maintenanceId: string): Promise<MaintenanceRow | undefined> {
      const row = await findById(database, maintenanceId);
      return row?.tenant === tenant ? row : undefined;
    },

    /** For those who work on it: of any tenant. */
    findOfAny: (maintenanceId: string): Promise<MaintenanceRow | undefined> => findById(database, maintenanceId),

    /** Newest first. */
    async list(tenant: string, page: Page, table?: string): Promise<PageOf<MaintenanceRow>> {
      const wanted = and(
        eq(maintenanceRuns.tenant, tenant),
        table === undefined ? undefined : eq(maintenanceRuns.tableName, table),
      );
      const [counted] = await database.select({ total: count() }).from(maintenanceRuns).where(wanted);
      const items = await database
        .select()
        .from(maintenanceRuns)
        .where(wanted)
        .orderBy(desc(maintenanceRuns.submittedAt), desc(maintenanceRuns.maintenanceId))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** Temporal has its workflow. */
    async markStarted(maintenanceId: string, runId: string): Promise<void> {
      await database
        .update(maintenanceRuns)
        .set({ runId, startedAt: sql`coalesce(${maintenanceRuns.startedAt}, ${NOW})` })
        .where(eq(maintenanceRuns.maintenanceId, maintenanceId));
    },

    /** Forgets one that could not be started. False when Temporal has it after all. */
    async abandon(maintenanceId: string): Promise<boolean> {
      const abandoned = await database
        .delete(maintenanceRuns)
        .where(and(eq(maintenanceRuns.maintenanceId, maintenanceId), isNull(maintenanceRuns.runId)))
        .returning({ maintenanceId: maintenanceRuns.maintenanceId });
      return abandoned.length > 0;
    },

    /** False when it is closed. */
    async requestCancel(maintenanceId: string): Promise<boolean> {
      const asked = await database
        .update(maintenanceRuns)
        .set({ cancelRequested: true })
        .where(and(eq(maintenanceRuns.maintenanceId, maintenanceId), eq(maintenanceRuns.status, 'RUNNING')))
        .returning({ maintenanceId: maintenanceRuns.maintenanceId });
      return asked.length > 0;
    },

    /** Another attempt of a step is at work; nothing when it is closed. */
    async beginStep(maintenanceId: string, step: MaintenanceStep): Promise<void> {
      const startedAt = new Date().toISOString();
      await changeStep(database, { maintenanceId, step }, ({ attempts = 0, error: _ofThatBefore, ...record }) => {
        return { ...record, status: 'RUNNING', attempts: attempts + 1, startedAt };
      });
    },

    /** What is known of a step by now; nothing when it is closed. */
    async recordStep(
      maintenanceId: string,
      step: MaintenanceStep,
      change: Partial<Omit<MaintenanceStepRecord, 'step'>>,
    ): Promise<void> {
      await changeStep(database, { maintenanceId, step }, (record) => ({ ...record, ...change }));
    },

    /** Answers it the first time only. Steps at work ended with it. */
    async close(maintenanceId: string, { status, reason }: MaintenanceOutcome): Promise<MaintenanceRow | undefined> {
      return database.transaction(async (tx) => {
        const row = await lockOpen(tx, maintenanceId);
        if (row === undefined) return undefined;
        const finishedAt = new Date();
        const ended = status === 'FAILED' ? ('FAILED' as const) : ('CANCELLED' as const);
        const steps = row.steps.map((record) =>
          record.status === 'RUNNING' ? { ...record, status: ended, finishedAt: finishedAt.toISOString() } : record,
        );
        const [closed] = await tx
          .update(maintenanceRuns)
          .set({ status, reason: reason ?? null, steps, finishedAt })
          .where(eq(maintenanceRuns.maintenanceId, maintenanceId))
          .returning();
        return closed;
      });
    },

    /** Open ones by their ids, from the one after `afterId`: for going through all of them in portions. */
    async open(limit: number, afterId = ''): Promise<MaintenanceRow[]> {
      return database
        .select()
        .from(maintenanceRuns)
        .where(and(eq(maintenanceRuns.status, 'RUNNING'), gt(maintenanceRuns.maintenanceId, afterId)))
        .orderBy(asc(maintenanceRuns.maintenanceId))
        .limit(limit);
    },

    /** Forgets those that were closed before. */
    async expire(closedBefore: Date): Promise<void> {
      await database
        .delete(maintenanceRuns)
        .where(and(ne(maintenanceRuns.status, 'RUNNING'), lt(maintenanceRuns.finishedAt, closedBefore)));
    },
  };
}

async function changeStep(
  database: Database,
  { maintenanceId, step }: { maintenanceId: string; step: MaintenanceStep },
  changed: (record: MaintenanceStepRecord) => MaintenanceStepRecord,
): Promise<void> {
  await database.transaction(async (tx) => {
    const row = await lockOpen(tx, maintenanceId);
    if (row === undefined) return;
    const steps = row.steps.map((record) => (record.step === step ? changed(record) : record));
    await tx.update(maintenanceRuns).set({ steps }).where(eq(maintenanceRuns.maintenanceId, maintenanceId));
  });
}

async function findById(database: Database, maintenanceId: string): Promise<MaintenanceRow | undefined> {
  const [row] = await database.select().from(maintenanceRuns).where(eq(maintenanceRuns.maintenanceId, maintenanceId));
  return row;
}

/** Until the transaction ends, nobody else closes it. Undefined when it is closed, or was taken back. */
async function lockOpen(transaction: Database, maintenanceId: string): Promise<MaintenanceRow | undefined> {
  const [row] = await transaction
    .select()
    .from(maintenanceRuns)
    .where(and(eq(maintenanceRuns.maintenanceId, maintenanceId), eq(maintenanceRuns.status, 'RUNNING')))
    .for('update');
  return row;
}
