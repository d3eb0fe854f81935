/** The gates of runs and migrations: opened once, and listed while they wait for a person. Answers: `gate-answers.ts`. */
import { and, asc, count, eq, gt, isNotNull, isNull, or, sql } from 'drizzle-orm';
import type { JsonObject } from '../schemas/json.ts';
import type { Database } from './database.ts';
import { settleGate } from './gate-answers.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { tableMigrations } from './migration-schema.ts';
import { gateAnswers, gates, qualityReports, runs } from './schema.ts';

export type GateRow = typeof gates.$inferSelect;

export interface NewGate {
  executionId: string;
  tenant: string;
  workflowId: string;
  timeoutMs: number;
  /** Subjects and `role:` names of who may answer; empty: whoever has the role. */
  approvers: string[];
  /** Of a migration; `executionId` is then only the gate's key. */
  migrationId?: string;
}

/** What waits for a person: a run with its quality report, or a migration. */
export interface PendingApproval {
  executionId: string;
  workflowId: string;
  openedAt: Date;
  deadlineAt: Date;
  approvers: string[];
  run: { pipelineId: string; pipelineName: string } | null;
  report: unknown;
  migration: { migrationId: string; name: string; document: JsonObject } | null;
}

const NOW = sql<Date>`clock_timestamp()`;
/** Nobody answered, and somebody still can. */
const WAITS = and(isNull(gateAnswers.executionId), gt(gates.deadlineAt, NOW));
/** There is what a person judges by. */
const JUDGEABLE = or(isNotNull(qualityReports.executionId), isNotNull(tableMigrations.migrationId));

export function gateOpening(database: Database) {
  return {
    /**
     * Opens a gate, by the database's clock; one that was opened before stays as it was. The gate of a run or migration
     * that has ended opens answered: `closed`.
     */
    async open({ executionId, tenant, workflowId, timeoutMs, approvers, migrationId }: NewGate): Promise<GateRow> {
      return database.transaction(async (tx) => {
        // Whoever closes the run waits until the gate is there to be closed with it.
        const [asking] =
          migrationId === undefined
            ? await tx.select({ status: runs.status }).from(runs).where(eq(runs.executionId, executionId)).for('share')
            : await tx
                .select({ status: tableMigrations.status })
                .from(tableMigrations)
                .where(eq(tableMigrations.migrationId, migrationId))
                .for('share');
        const deadlineAt = sql`transaction_timestamp() + ${timeoutMs}::float8 * interval '1 millisecond'`;
        const openedAt = sql`transaction_timestamp()`;
        const [opened] = await tx
          .insert(gates)
          .values({ executionId, tenant, workflowId, openedAt, deadlineAt, approvers, migrationId })
          // Setting what is there lets RETURNING answer the row of a gate that was opened before.
          .onConflictDoUpdate({ target: gates.executionId, set: { executionId } })
          .returning();
        if (opened === undefined) throw new TypeError('an upsert returned no row');
        if (asking?.status !== 'RUNNING') await settleGate(tx, executionId, 'closed');
        return opened;
      });
    },

    async find(executionId: string): Promise<GateRow | undefined> {
      const [gate] = await database.select().from(gates).where(eq(gates.executionId, executionId));
      return gate;
    },

    /** The gates that wait for a person, the one that waits longest first. */
    async listOpen(tenant: string, page: Page): Promise<PageOf<PendingApproval>> {
      const wanted = and(eq(gates.tenant, tenant), WAITS, JUDGEABLE);
      const [counted] = await database
        .select({ total: count() })
        .from(gates)
        .leftJoin(qualityReports, eq(qualityReports.executionId, gates.executionId))
        .leftJoin(runs, eq(runs.executionId, gates.executionId))
        .leftJoin(tableMigrations, eq(tableMigrations.migrationId, gates.migrationId))
        .leftJoin(gateAnswers, eq(gateAnswers.executionId, gates.executionId))
        .where(wanted);
      const items = await database
        .select({
          executionId: gates.executionId,
          workflowId: gates.workflowId,
          openedAt: gates.openedAt,
          deadlineAt: gates.deadlineAt,
          approvers: gates.approvers,
          run: { pipelineId: runs.pipelineId, pipelineName: runs.pipelineName },
          report: qualityReports.report,
          migration: {
            migrationId: tableMigrations.migrationId,
            name: tableMigrations.name,
            document: tableMigrations.document,
          },
        })
        .from(gates)
        .leftJoin(qualityReports, eq(qualityReports.executionId, gates.executionId))
        .leftJoin(runs, eq(runs.executionId, gates.executionId))
        .leftJoin(tableMigrations, eq(tableMigrations.migrationId, gates.migrationId))
        .leftJoin(gateAnswers, eq(gateAnswers.executionId, gates.executionId))
        .where(wanted)
        .orderBy(asc(gates.openedAt), asc(gates.executionId))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** How many gates wait for a person, of all tenants: for the metric. */
    async countOpen(): Promise<number> {
      const [counted] = await database
        .select({ total: count() })
        .from(gates)
        .leftJoin(gateAnswers, eq(gateAnswers.executionId, gates.executionId))
        .where(WAITS);
      return counted?.total ?? 0;
    },
  };
}
