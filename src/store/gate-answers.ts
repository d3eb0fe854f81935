/**
 * The one answer of a gate (spec section 2): who comes first, a person, the deadline or the run's end, inserts the row;
 * everyone else finds it there. Each is one statement, judged by the database's clock.
 */
import { randomUUID } from 'node:crypto';
import { and, asc, eq, exists, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { Database } from './database.ts';
import { tableMigrations } from './migration-schema.ts';
import { gateAnswers, gates, qualityReports, runs } from './schema.ts';
import { storableText } from './storable-text.ts';

export type GateAnswerRow = typeof gateAnswers.$inferSelect;

export interface PersonsAnswer {
  executionId: string;
  /** Made by the caller; the same one again is the same answer. */
  answerId: string;
  kind: 'approved' | 'rejected';
  by: string;
  comment?: string | undefined;
}

export type Answering =
  | { outcome: 'recorded'; answer: GateAnswerRow }
  | { outcome: 'already-answered'; answer: GateAnswerRow }
  /** No gate, no quality report yet, or the run has ended. */
  | { outcome: 'not-open' }
  | { outcome: 'too-late' };

export interface UndeliveredAnswer {
  answerId: string;
  executionId: string;
  workflowId: string;
}

export function gateAnswerRepository(database: Database) {
  const repository = {
    /**
     * A person's answer: it counts while the gate is open, its report exists and the deadline has not passed. A migration's
     * gate opens after its impact was recorded.
     */
    async answer({ executionId, answerId, kind, by, comment }: PersonsAnswer): Promise<Answering> {
      const report = database.select().from(qualityReports).where(eq(qualityReports.executionId, executionId));
      const open = and(sql`clock_timestamp() < ${gates.deadlineAt}`, or(exists(report), isNotNull(gates.migrationId)));
      const recorded = await insertAnswer(database, { executionId, answerId, kind, by, comment }, open);
      if (recorded !== undefined) return { outcome: 'recorded', answer: recorded };
      const [gate] = await database
        .select({ late: sql<boolean>`clock_timestamp() >= ${gates.deadlineAt}` })
        .from(gates)
        .where(eq(gates.executionId, executionId));
      const answer = await repository.answerOf(executionId);
      if (answer?.answerId === answerId) return { outcome: 'recorded', answer };
      if (answer?.kind === 'expired') return { outcome: 'too-late' };
      if (answer !== undefined && answer.kind !== 'closed') return { outcome: 'already-answered', answer };
      return { outcome: answer === undefined && gate?.late === true ? 'too-late' : 'not-open' };
    },

    /**
     * The deadline has passed, or the run ended: the answer that counts, which is this one unless there was one before.
     * RESOURCE_NOT_FOUND when no gate was opened.
     */
    async settle({ executionId, kind }: { executionId: string; kind: 'expired' | 'closed' }): Promise<GateAnswerRow> {
      const settled = await settleGate(database, executionId, kind);
      const answer = settled ?? (await repository.answerOf(executionId));
      if (answer === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `${executionId} has no gate`);
      return answer;
    },

    async answerOf(executionId: string): Promise<GateAnswerRow | undefined> {
      const [answer] = await database.select().from(gateAnswers).where(eq(gateAnswers.executionId, executionId));
      return answer;
    },

    /** The workflow has it. */
    async markDelivered(answerId: string): Promise<void> {
      await database
        .update(gateAnswers)
        .set({ deliveredAt: sql`clock_timestamp()` })
        .where(and(eq(gateAnswers.answerId, answerId), isNull(gateAnswers.deliveredAt)));
    },

    /** People's answers, given before, to what is open and is not known to have them: to be delivered again. */
    async undelivered(answeredBefore: Date, limit = 100): Promise<UndeliveredAnswer[]> {
      return database
        .select({
          answerId: gateAnswers.answerId,
          executionId: gateAnswers.executionId,
          workflowId: gates.workflowId,
        })
        .from(gateAnswers)
        .innerJoin(gates, eq(gates.executionId, gateAnswers.executionId))
        .leftJoin(runs, eq(runs.executionId, gateAnswers.executionId))
        .leftJoin(tableMigrations, eq(tableMigrations.migrationId, gates.migrationId))
        .where(
          and(
            or(eq(runs.status, 'RUNNING'), eq(tableMigrations.status, 'RUNNING')),
            isNull(gateAnswers.deliveredAt),
            inArray(gateAnswers.kind, ['approved', 'rejected']),
            lt(gateAnswers.answeredAt, answeredBefore),
          ),
        )
        .orderBy(asc(gateAnswers.answeredAt))
        .limit(limit);
    },
  };
  return repository;
}

/** Takes the gate's key for the deadline or the run's end, if there is a gate and it is free. */
export async function settleGate(
  database: Database,
  executionId: string,
  kind: 'expired' | 'closed',
): Promise<GateAnswerRow | undefined> {
  return insertAnswer(database, { executionId, answerId: randomUUID(), kind, by: 'system' });
}

interface Answer {
  executionId: string;
  answerId: string;
  kind: GateAnswerRow['kind'];
  by: string;
  comment?: string | undefined;
}

/** Undefined when there is no gate that meets the condition, or it has its answer. */
async function insertAnswer(database: Database, answer: Answer, condition?: SQL): Promise<GateAnswerRow | undefined> {
  const answeredAt = sql<Date>`clock_timestamp()`;
  const [inserted] = await database
    .insert(gateAnswers)
    .select(
      database
        .select({
          executionId: gates.executionId,
          answerId: sql<string>`${answer.answerId}::text`.as('answer_id'),
          kind: sql<GateAnswerRow['kind']>`${answer.kind}::text`.as('kind'),
          answeredBy: sql<string>`${answer.by}::text`.as('answered_by'),
          comment: sql<string | null>`${answer.comment === undefined ? null : storableText(answer.comment)}::text`.as(
            'comment',
          ),
          answeredAt: answeredAt.as('answered_at'),
          deliveredAt: sql<Date | null>`null::timestamptz`.as('delivered_at'),
        })
        .from(gates)
        .where(and(eq(gates.executionId, answer.executionId), condition)),
    )
    .onConflictDoNothing()
    .returning();
  return inserted;
}
