/**
 * Slots of `concurrency.max_runs`: how many runs of a pipeline work at a time, the others wait in the order in which
 * they were submitted. A waiting run may work once its place in the queue is within the free slots; so a slot that its
 * oldest run has not asked for yet stays reserved for it, and the next ones need not wait for that.
 */
import { and, asc, count, eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { lockPipeline, WORKS } from './runs.ts';
import { runs } from './schema.ts';

export function runSlots(database: Database) {
  return {
    /** Whether the run may work now; it holds its slot until it is closed. Asking again is harmless. */
    async acquireSlot(executionId: string, maxRuns: number): Promise<boolean> {
      return database.transaction(async (tx) => {
        const [asking] = await tx
          .select({ pipelineId: runs.pipelineId })
          .from(runs)
          .where(eq(runs.executionId, executionId));
        if (asking === undefined) return false;
        await lockPipeline(tx, asking.pipelineId);
        const [run] = await tx
          .select({ status: runs.status, slot: runs.slot })
          .from(runs)
          .where(eq(runs.executionId, executionId));
        if (run?.status !== 'RUNNING') return false;
        if (run.slot !== 'waiting') return true;
        const free = maxRuns - (await working(tx, asking.pipelineId));
        const first = await waiting(tx, asking.pipelineId, free);
        if (!first.some((queued) => queued.executionId === executionId)) return false;
        const taken = await tx
          .update(runs)
          .set({ slot: 'held' })
          .where(and(eq(runs.executionId, executionId), eq(runs.status, 'RUNNING')))
          .returning({ slot: runs.slot });
        return taken.length > 0;
      });
    },
  };
}

/** Workflow ids of the waiting runs of the pipeline that may work now, oldest first: they are to be told. */
export async function runsToWake(database: Database, pipelineId: string): Promise<string[]> {
  const [oldest] = await waiting(database, pipelineId, 1);
  if (oldest === undefined) return [];
  const free = (oldest.maxRuns ?? 1) - (await working(database, pipelineId));
  const first = await waiting(database, pipelineId, free);
  return first.map(({ workflowId }) => workflowId);
}

async function working(database: Database, pipelineId: string): Promise<number> {
  const [counted] = await database
    .select({ total: count() })
    .from(runs)
    .where(and(eq(runs.pipelineId, pipelineId), WORKS));
  return counted?.total ?? 0;
}

/** The first of the queue. */
async function waiting(database: Database, pipelineId: string, limit: number) {
  if (limit <= 0) return [];
  return database
    .select({ executionId: runs.executionId, workflowId: runs.workflowId, maxRuns: runs.maxRuns })
    .from(runs)
    .where(and(eq(runs.pipelineId, pipelineId), eq(runs.status, 'RUNNING'), eq(runs.slot, 'waiting')))
    .orderBy(asc(runs.submittedAt), asc(runs.executionId))
    .limit(limit);
}
