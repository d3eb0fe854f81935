/** The end of a run: closed once, with everything that ends with it; and forgotten after `RUN_RETENTION`. */
import { and, eq, exists, gt, inArray, like, lt, ne, not, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { ServiceError } from '../errors.ts';
import type { PipelineRunResult, RunStatus, Watermark } from '../workflows/messages.ts';
import type { Database } from './database.ts';
import { settleGate } from './gate-answers.ts';
import { runsToWake } from './run-slots.ts';
import type { StoredError } from './columns.ts';
import { gateAnswers, gates, qualityReports, runs, runSteps, stepLogs } from './schema.ts';
import { storableText } from './storable-text.ts';
import { advanceWatermark } from './watermarks.ts';

export interface RunClosing {
  executionId: string;
  status: Exclude<RunStatus, 'RUNNING'>;
  reason?: string | undefined;
  result?: PipelineRunResult | undefined;
  error?: StoredError | undefined;
  rowsProcessed?: number | undefined;
  bytesProcessed?: number | undefined;
  finishedAt?: Date | undefined;
  /** Stored when the run COMPLETED. */
  watermarks?: Watermark[] | undefined;
}

export interface Closed {
  /** Whether this call closed the run: true for exactly one of them, so that metrics count once. */
  first: boolean;
  pipelineName: string;
  /** Workflow ids of waiting runs that may work now: they are to be told, also when this call was not the first. */
  wake: string[];
}

const EXPIRED_AT_ONCE = 200;

export function runClosing(database: Database) {
  return {
    /**
     * Closes a run: its outcome, its watermarks, its slot, its gate if nobody answered, and the steps that it leaves
     * unfinished (RUNNING ones become CANCELLED, PENDING ones SKIPPED). RESOURCE_NOT_FOUND when there is no such run.
     */
    async close(closing: RunClosing): Promise<Closed> {
      const { executionId, status } = closing;
      const closed = await database.transaction(async (tx) => {
        const [run] = await tx
          .update(runs)
          .set({
            status,
            slot: null,
            reason: closing.reason === undefined ? null : storableText(closing.reason),
            result: closing.result ?? null,
            error: closing.error ?? null,
            rowsProcessed: closing.rowsProcessed ?? 0,
            bytesProcessed: closing.bytesProcessed ?? 0,
            finishedAt: closing.finishedAt ?? sql`clock_timestamp()`,
          })
          .where(and(eq(runs.executionId, executionId), eq(runs.status, 'RUNNING')))
          .returning({ executionId: runs.executionId, pipelineId: runs.pipelineId, pipelineName: runs.pipelineName });
        if (run === undefined) return undefined;
        for (const watermark of status === 'COMPLETED' ? (closing.watermarks ?? []) : []) {
          await advanceWatermark(tx, run, watermark);
        }
        await settleGate(tx, executionId, 'closed');
        await tx
          .update(runSteps)
          .set({
            status: sql`case ${runSteps.status} when 'RUNNING' then 'CANCELLED' else 'SKIPPED' end`,
            finishedAt: sql`case ${runSteps.status} when 'RUNNING' then clock_timestamp() end`,
            attemptToken: null,
          })
          .where(and(eq(runSteps.executionId, executionId), inArray(runSteps.status, ['RUNNING', 'PENDING'])));
        return run;
      });
      const { pipelineId, pipelineName } = closed ?? (await closedBefore(database, executionId));
      // After the commit: a run that asked for the slot before it and was refused is found here.
      const wake = await runsToWake(database, pipelineId);
      return { first: closed !== undefined, pipelineName, wake };
    },

    /**
     * Forgets runs that were closed before, with their steps, logs, reports and gates; the audit log keeps what was
     * done. Answers how many; call again while there are some.
     */
    async expire(closedBefore: Date): Promise<number> {
      const [extracted, begun] = [alias(runSteps, 'extracted'), alias(runSteps, 'begun')];
      // Which rows of an incremental source it may have loaded, later runs must know as long as there are any.
      const partlyLoaded = exists(
        database
          .select()
          .from(extracted)
          .innerJoin(begun, eq(begun.executionId, extracted.executionId))
          .where(
            and(
              ne(runs.status, 'COMPLETED'),
              eq(extracted.executionId, runs.executionId),
              sql`${extracted.result} -> 'watermark' is not null`,
              like(begun.step, 'load:%'),
              gt(begun.attempts, 0),
            ),
          ),
      );
      return database.transaction(async (tx) => {
        const expired = await tx
          .select({ executionId: runs.executionId })
          .from(runs)
          .where(and(ne(runs.status, 'RUNNING'), lt(runs.finishedAt, closedBefore), not(partlyLoaded)))
          .limit(EXPIRED_AT_ONCE)
          .for('update', { skipLocked: true });
        const ids = expired.map(({ executionId }) => executionId);
        if (ids.length === 0) return 0;
        await tx.delete(gateAnswers).where(inArray(gateAnswers.executionId, ids));
        await tx.delete(gates).where(inArray(gates.executionId, ids));
        await tx.delete(qualityReports).where(inArray(qualityReports.executionId, ids));
        await tx.delete(stepLogs).where(inArray(stepLogs.executionId, ids));
        await tx.delete(runSteps).where(inArray(runSteps.executionId, ids));
        await tx.delete(runs).where(inArray(runs.executionId, ids));
        return ids.length;
      });
    },
  };
}

async function closedBefore(
  database: Database,
  executionId: string,
): Promise<{ pipelineId: string; pipelineName: string }> {
  const [run] = await database
    .select({ pipelineId: runs.pipelineId, pipelineName: runs.pipelineName })
    .from(runs)
    .where(eq(runs.executionId, executionId));
  if (run === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no execution ${executionId}`);
  return run;
}
