/**
 * Loads of closed runs that may be in their sinks, whatever was recorded of them: a commit in the instant before a run's
 * end is known to the sink alone. Only loads of chains of retries of which none has completed.
 */
import { and, desc, eq, gt, like, ne, notExists, notInArray, sql, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { StepResult, StepStatus } from '../workflows/messages.ts';
import type { Database } from './database.ts';
import { BACKFILL_TRIGGER } from './runs.ts';
import { runs, runSteps } from './schema.ts';

export interface BegunLoad {
  executionId: string;
  rootExecutionId: string;
  /** `load:<sink>` */
  step: string;
  status: StepStatus;
  /** Whether an attempt told how it ended; if none did, the last one may be at work for a moment longer. */
  told: boolean;
  /** When the run was closed. */
  closedAt: Date | null;
  heartbeatTimeoutMs: number;
}

export function begunLoadReading(database: Database) {
  const completed = alias(runs, 'completed');
  const extraction = alias(runSteps, 'extraction');

  const begun = async (condition: SQL | undefined): Promise<BegunLoad[]> =>
    database
      .select({
        executionId: runs.executionId,
        rootExecutionId: runs.rootExecutionId,
        step: runSteps.step,
        status: runSteps.status,
        told: sql<boolean>`${runSteps.attemptToken} is not null`,
        closedAt: runs.finishedAt,
        heartbeatTimeoutMs: sql<number>`(${runs.input} -> 'plan' ->> 'heartbeatTimeoutMs')::int`,
      })
      .from(runs)
      .innerJoin(runSteps, eq(runSteps.executionId, runs.executionId))
      .where(
        and(
          condition,
          notInArray(runs.status, ['RUNNING', 'COMPLETED']),
          like(runSteps.step, 'load:%'),
          gt(runSteps.attempts, 0),
          notExists(
            database
              .select()
              .from(completed)
              .where(and(eq(completed.rootExecutionId, runs.rootExecutionId), eq(completed.status, 'COMPLETED'))),
          ),
        ),
      )
      .orderBy(desc(runs.submittedAt));

  return {
    /** Of the runs that are retries of each other. */
    async begunLoadsOfRoot(rootExecutionId: string): Promise<BegunLoad[]> {
      return begun(eq(runs.rootExecutionId, rootExecutionId));
    },

    /** Of the pipeline's other runs that read `source` from the same watermark on; null: from the start. */
    async begunLoadsFrom(
      run: { pipelineId: string; rootExecutionId: string },
      source: string,
      watermark: string | null,
    ): Promise<BegunLoad[]> {
      const read = sql`exists (select from ${runSteps} as ${extraction}
        where ${extraction.executionId} = ${runs.executionId} and ${extraction.step} = ${`extract:${source}`}
          and ${extraction.result} -> 'watermark' ->> 'from' is not distinct from ${watermark}::text)`;
      const others = and(
        eq(runs.pipelineId, run.pipelineId),
        ne(runs.rootExecutionId, run.rootExecutionId),
        // Partitions are read by their interval, from no watermark.
        ne(runs.trigger, BACKFILL_TRIGGER),
      );
      return begun(and(others, read));
    },

    /** What a source's extraction answered the last time that it was completed by one of a chain of retries. */
    async extractedBefore(rootExecutionId: string, source: string): Promise<StepResult | undefined> {
      const [row] = await database
        .select({ result: runSteps.result })
        .from(runSteps)
        .innerJoin(runs, eq(runs.executionId, runSteps.executionId))
        .where(
          and(
            eq(runs.rootExecutionId, rootExecutionId),
            eq(runSteps.step, `extract:${source}`),
            eq(runSteps.status, 'COMPLETED'),
          ),
        )
        .orderBy(desc(runs.submittedAt))
        .limit(1);
      return row?.result ?? undefined;
    },
  };
}
