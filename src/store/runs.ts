/** Runs of pipelines: submitted, listed, read. Slots are in `run-slots.ts`, their end in `run-closing.ts`. */
import { and, arrayContains, asc, count, desc, eq, gt, gte, isNull, lt, ne, or, sql, type SQL } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { PipelineRunInput, RunStatus } from '../workflows/messages.ts';
import type { Database } from './database.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { pipelines, runs, runSteps } from './schema.ts';

export type RunRow = typeof runs.$inferSelect;

export interface NewRun {
  executionId: string;
  tenant: string;
  pipelineId: string;
  pipelineName: string;
  revision: number;
  tags: string[];
  workflowId: string;
  /** The first run of a chain of retries; its own id for a run that is no retry. */
  rootExecutionId: string;
  retryOf?: string | undefined;
  trigger: string;
  engine: string;
  priority: string;
  parameters: Record<string, unknown>;
  interval?: { start: Date; end: Date } | undefined;
  input: PipelineRunInput;
  requestId: string;
  submittedBy: string;
  submittedAt: Date;
  /** `orchestration.concurrency`: `queue` lets it wait for a slot, `reject` refuses it while all are taken. */
  limit?: { maxRuns: number; onConflict: 'queue' | 'reject' } | undefined;
}

/** `exists`: this execution was inserted before, by the same request. `workflow-id-taken`: choose another. */
export type Insertion = { outcome: 'inserted' | 'exists'; run: RunRow } | { outcome: 'workflow-id-taken' };

export interface RunFilters {
  status?: RunStatus | undefined;
  /** Id or name. */
  pipeline?: string | undefined;
  tag?: string | undefined;
  trigger?: string | undefined;
  /** Submitted at or after. */
  from?: Date | undefined;
  /** Submitted before. */
  to?: Date | undefined;
}

/** `runs.trigger` of the run of one partition: its backfill starts it, limits it and tries it again. */
export const BACKFILL_TRIGGER = 'backfill';

/** An open run of those that `max_runs` limits. */
const COUNTS = and(eq(runs.status, 'RUNNING'), ne(runs.trigger, BACKFILL_TRIGGER));

/** A run of the given pipeline that works: open, and not waiting for a slot. */
export const WORKS = and(COUNTS, sql`${runs.slot} is distinct from 'waiting'`);

export function runReading(database: Database) {
  const one = async (condition: SQL | undefined): Promise<RunRow | undefined> => {
    const [row] = await database.select().from(runs).where(condition);
    return row;
  };
  return {
    /**
     * A new run, RUNNING. CONFLICT when a run of the same root is open, or has completed before a retry, and for `limit` with `reject` when as many
     * runs of the pipeline are open as may be.
     */
    async insert(run: NewRun): Promise<Insertion> {
      const { interval, limit, retryOf, ...columns } = run;
      const insert = async (tx: Database): Promise<Insertion> => {
        if (limit !== undefined) {
          // Those that start runs of one limited pipeline take turns, so that racing ones cannot exceed the limit.
          await lockPipeline(tx, run.pipelineId);
          const existing = await runReading(tx).find(run.tenant, run.executionId);
          if (existing !== undefined) return { outcome: 'exists', run: existing };
          if (limit.onConflict === 'reject') await refuseAtLimit(tx, run, limit.maxRuns);
        }
        const [inserted] = await tx
          .insert(runs)
          .values({
            ...columns,
            retryOf: retryOf ?? null,
            intervalStart: interval?.start ?? null,
            intervalEnd: interval?.end ?? null,
            status: 'RUNNING',
            slot: limit === undefined ? null : limit.onConflict === 'queue' ? 'waiting' : 'held',
            maxRuns: limit?.maxRuns ?? null,
          })
          .onConflictDoNothing()
          .returning();
        if (inserted === undefined) return whyNotInserted(tx, run);
        // Looked up after the insert, which has waited for an earlier run of the root that was just being closed.
        if (retryOf !== undefined) await refuseCompletedRoot(tx, run.rootExecutionId);
        return { outcome: 'inserted', run: inserted };
      };
      // Most runs are inserted by the one statement, which needs no transaction around it.
      return limit === undefined && retryOf === undefined ? insert(database) : database.transaction(insert);
    },

    async find(tenant: string, executionId: string): Promise<RunRow | undefined> {
      return one(and(eq(runs.executionId, executionId), eq(runs.tenant, tenant)));
    },

    async findByWorkflowId(tenant: string, workflowId: string): Promise<RunRow | undefined> {
      return one(and(eq(runs.workflowId, workflowId), eq(runs.tenant, tenant)));
    },

    /** For those who run it: of any tenant. RESOURCE_NOT_FOUND when it is not there (any more). */
    async get(executionId: string): Promise<RunRow> {
      const row = await one(eq(runs.executionId, executionId));
      if (row === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no execution ${executionId}`);
      return row;
    },

    /** Newest first. */
    async list(tenant: string, filters: RunFilters, page: Page): Promise<PageOf<RunRow>> {
      const { status, pipeline, tag, trigger, from, to } = filters;
      const wanted = and(
        eq(runs.tenant, tenant),
        status && eq(runs.status, status),
        pipeline === undefined ? undefined : or(eq(runs.pipelineId, pipeline), eq(runs.pipelineName, pipeline)),
        tag === undefined ? undefined : arrayContains(runs.tags, [tag]),
        trigger === undefined ? undefined : eq(runs.trigger, trigger),
        from && gte(runs.submittedAt, from),
        to && lt(runs.submittedAt, to),
      );
      const [counted] = await database.select({ total: count() }).from(runs).where(wanted);
      const items = await database
        .select()
        .from(runs)
        .where(wanted)
        .orderBy(desc(runs.submittedAt), desc(runs.executionId))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** Temporal has the workflow. False when the run is closed, or was abandoned: the workflow must do nothing. */
    async markStarted(executionId: string, runId: string, startedAt = new Date()): Promise<boolean> {
      const marked = await database
        .update(runs)
        .set({ runId, startedAt: sql`coalesce(${runs.startedAt}, ${startedAt.toISOString()}::timestamptz)` })
        .where(and(eq(runs.executionId, executionId), eq(runs.status, 'RUNNING')))
        .returning({ runId: runs.runId });
      return marked.length > 0;
    },

    /**
     * Forgets a run that could not be started, so that it is as if it had never been asked for. False when Temporal
     * has it after all.
     */
    async abandon(executionId: string): Promise<boolean> {
      return database.transaction(async (tx) => {
        const abandoned = await tx
          .delete(runs)
          .where(and(eq(runs.executionId, executionId), isNull(runs.runId)))
          .returning({ executionId: runs.executionId });
        if (abandoned.length > 0) await tx.delete(runSteps).where(eq(runSteps.executionId, executionId));
        return abandoned.length > 0;
      });
    },

    /** The execution of a chain of retries that has completed, if one has. */
    async completedOfRoot(rootExecutionId: string): Promise<string | undefined> {
      const [row] = await database
        .select({ executionId: runs.executionId })
        .from(runs)
        .where(and(eq(runs.rootExecutionId, rootExecutionId), eq(runs.status, 'COMPLETED')));
      return row?.executionId;
    },

    /** All executions of a chain of retries. */
    async ofRoot(rootExecutionId: string): Promise<RunRow[]> {
      return database.select().from(runs).where(eq(runs.rootExecutionId, rootExecutionId));
    },

    /**
     * Open runs, submitted before, of which nobody knows that Temporal has them: they are to be started (again). Those of
     * partitions are not: their backfill's workflow does that.
     */
    async undelivered(submittedBefore: Date, limit = 100): Promise<RunRow[]> {
      return database
        .select()
        .from(runs)
        .where(and(COUNTS, isNull(runs.runId), lt(runs.submittedAt, submittedBefore)))
        .orderBy(asc(runs.submittedAt))
        .limit(limit);
    },

    /** Open runs by their ids, from the one after `afterExecutionId`: for going through all of them in portions. */
    async open(limit: number, afterExecutionId = ''): Promise<RunRow[]> {
      return database
        .select()
        .from(runs)
        .where(and(eq(runs.status, 'RUNNING'), gt(runs.executionId, afterExecutionId)))
        .orderBy(asc(runs.executionId))
        .limit(limit);
    },

    /** The run of the pipeline that was submitted last. */
    async latestOf(pipelineId: string): Promise<RunRow | undefined> {
      const [row] = await database
        .select()
        .from(runs)
        .where(eq(runs.pipelineId, pipelineId))
        .orderBy(desc(runs.submittedAt), desc(runs.executionId))
        .limit(1);
      return row;
    },
  };
}

/** Until the transaction ends, nobody else decides about the slots of this pipeline. */
export async function lockPipeline(transaction: Database, pipelineId: string): Promise<void> {
  await transaction
    .select({ locked: pipelines.pipelineId })
    .from(pipelines)
    .where(eq(pipelines.pipelineId, pipelineId))
    .for('no key update');
}

async function refuseAtLimit(transaction: Database, run: NewRun, maxRuns: number): Promise<void> {
  const open = and(eq(runs.pipelineId, run.pipelineId), COUNTS);
  const [counted] = await transaction.select({ total: count() }).from(runs).where(open);
  if ((counted?.total ?? 0) >= maxRuns) {
    throw new ServiceError('CONFLICT', `${run.pipelineName} has ${maxRuns} open runs already, its max_runs`);
  }
}

async function refuseCompletedRoot(transaction: Database, rootExecutionId: string): Promise<void> {
  const completed = await runReading(transaction).completedOfRoot(rootExecutionId);
  if (completed === undefined) return;
  throw new ServiceError('CONFLICT', `${completed} has completed: nothing is left to retry`);
}

async function whyNotInserted(transaction: Database, run: NewRun): Promise<Insertion> {
  const [other] = await transaction
    .select()
    .from(runs)
    .where(or(eq(runs.executionId, run.executionId), eq(runs.workflowId, run.workflowId)));
  if (other?.executionId === run.executionId) return { outcome: 'exists', run: other };
  if (other !== undefined) return { outcome: 'workflow-id-taken' };
  throw new ServiceError('CONFLICT', 'A retry of this execution, or the execution itself, is running');
}
