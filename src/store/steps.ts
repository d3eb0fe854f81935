/**
 * The steps of a run as people see them, and as a retry reuses them. An attempt owns its step's row by a token: one that
 * was thought lost cannot overwrite what its successor, or the workflow itself, recorded later.
 */
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { StepProgress, StepResult, StepStatus } from '../workflows/messages.ts';
import type { Database } from './database.ts';
import type { StoredError } from './columns.ts';
import { runSteps } from './schema.ts';
import { storableText } from './storable-text.ts';

export type StepRow = typeof runSteps.$inferSelect;

export interface NewStep {
  step: string;
  /** Activity type name; `wait_for_approval` for the gate. */
  activity: string;
  /** Set when an earlier run's result is taken over: the step is COMPLETED from the start. */
  reused?: { from: string; result: StepResult } | undefined;
}

interface Attempt {
  executionId: string;
  step: string;
  attemptToken: string;
  /** Now, unless given. */
  at?: Date | undefined;
}

export interface StepStart extends Attempt {
  activity: string;
}

export interface StepEnd extends Attempt {
  status: 'COMPLETED' | 'FAILED' | 'CANCELLED';
  rows?: number | undefined;
  bytes?: number | undefined;
  error?: StoredError | undefined;
  externalUrl?: string | undefined;
  result?: StepResult | undefined;
}

/** What the workflow itself knows of a step; what is not given stays as it is. */
export interface StepDetails {
  startedAt?: Date | undefined;
  finishedAt?: Date | undefined;
  error?: StoredError | undefined;
  result?: StepResult | undefined;
}

const GIVEN_STEP = and(
  eq(runSteps.executionId, sql.placeholder('executionId')),
  eq(runSteps.step, sql.placeholder('step')),
);

export function stepRepository(database: Database) {
  let starting: ReturnType<typeof stepStarted> | undefined;
  let finishing: ReturnType<typeof stepFinished> | undefined;
  return {
    /** All steps of a new run, in the order in which they are shown. Planning again changes nothing. */
    async plan(executionId: string, steps: NewStep[]): Promise<void> {
      if (steps.length === 0) return;
      const rows = steps.map(({ step, activity, reused }, position) => ({
        executionId,
        step,
        activity,
        position,
        status: reused === undefined ? ('PENDING' as const) : ('COMPLETED' as const),
        result: reused?.result ?? null,
        reusedFrom: reused?.from ?? null,
        rows: reused?.result.rows ?? null,
        bytes: reused?.result.bytes ?? null,
        externalUrl: reused?.result.externalUrl ?? null,
      }));
      await database.insert(runSteps).values(rows).onConflictDoNothing();
    },

    /** An attempt begins and owns the row from now on. The same attempt told again counts once. */
    async started({ at, ...start }: StepStart): Promise<void> {
      starting ??= stepStarted(database);
      await starting.execute({ ...start, at: at?.toISOString() ?? null });
    },

    /** The attempt's outcome. False when the row is not this attempt's any more: nothing was recorded. */
    async finished({ executionId, step, attemptToken, status, at, ...details }: StepEnd): Promise<boolean> {
      finishing ??= stepFinished(database);
      const recorded = await finishing.execute({
        executionId,
        step,
        attemptToken,
        status,
        rows: details.rows ?? null,
        bytes: details.bytes ?? null,
        error: details.error === undefined ? null : JSON.stringify(details.error),
        externalUrl: details.externalUrl ?? null,
        result: details.result === undefined ? null : JSON.stringify(details.result),
        at: at?.toISOString() ?? null,
      });
      return recorded.length > 0;
    },

    /** Where people see the attempt's work in another system, shown from now on; also after the attempt failed. */
    async linked({ executionId, step, attemptToken }: Attempt, externalUrl: string): Promise<void> {
      await database
        .update(runSteps)
        .set({ externalUrl })
        .where(and(ofRun(executionId, step), eq(runSteps.attemptToken, attemptToken)));
    },

    /** The workflow's own word on a step; no attempt owns the row after it. */
    async setStatus(executionId: string, step: string, status: StepStatus, details: StepDetails = {}): Promise<void> {
      const { startedAt, finishedAt, error, result } = details;
      await database
        .update(runSteps)
        .set({
          status,
          attemptToken: null,
          ...(startedAt && { startedAt }),
          ...(finishedAt && { finishedAt }),
          ...(error && { error }),
          ...(result && { result }),
        })
        .where(ofRun(executionId, step));
    },

    /**
     * The final state of a run's steps as the workflow saw them: it corrects those whose last attempt did not record
     * its outcome. Times and errors that an attempt recorded stay.
     */
    async settle(executionId: string, steps: StepProgress[]): Promise<void> {
      const seen = steps.map(({ error, ...step }) => ({
        ...step,
        ...(error !== undefined && { error: storableText(error) }),
      }));
      await database.execute(sql`
        update ${runSteps} set
          status = seen.status,
          attempt_token = null,
          started_at = coalesce(${runSteps.startedAt}, seen."startedAt"),
          finished_at = coalesce(${runSteps.finishedAt}, seen."finishedAt"),
          error = coalesce(${runSteps.error},
            case when seen.error is not null then json_build_object('type', 'StepError', 'message', seen.error) end)
        from json_to_recordset(${JSON.stringify(seen)}::json)
          as seen(step text, status text, "startedAt" timestamptz, "finishedAt" timestamptz, error text)
        where ${runSteps.executionId} = ${executionId} and ${runSteps.step} = seen.step
          and ${runSteps.status} is distinct from seen.status`);
    },

    /** In the order of the plan. */
    async list(executionId: string): Promise<StepRow[]> {
      return database
        .select()
        .from(runSteps)
        .where(eq(runSteps.executionId, executionId))
        .orderBy(asc(runSteps.position));
    },

    /** The same of several runs at once, by execution. */
    async listOf(executionIds: string[]): Promise<Map<string, StepRow[]>> {
      if (executionIds.length === 0) return new Map();
      const rows = await database
        .select()
        .from(runSteps)
        .where(inArray(runSteps.executionId, executionIds))
        .orderBy(asc(runSteps.position));
      return Map.groupBy(rows, ({ executionId }) => executionId);
    },
  };
}

// What every attempt of every step does, so prepared: building the statement takes longer than executing it.

function stepStarted(database: Database) {
  const at = sql`coalesce(${given('at')}::timestamptz, clock_timestamp())`;
  return database
    .update(runSteps)
    .set({
      activity: sql`${given('activity')}`,
      status: 'RUNNING',
      attempts: sql`${runSteps.attempts} + (${runSteps.attemptToken} is distinct from ${given('attemptToken')})::int`,
      attemptToken: sql`${given('attemptToken')}`,
      startedAt: sql`coalesce(${runSteps.startedAt}, ${at})`,
      finishedAt: null,
      error: null,
    })
    .where(GIVEN_STEP)
    .prepare('step_started');
}

function stepFinished(database: Database) {
  return database
    .update(runSteps)
    .set({
      status: sql`${given('status')}`,
      rows: sql`${given('rows')}`,
      bytes: sql`${given('bytes')}`,
      error: sql`${given('error')}`,
      externalUrl: sql`coalesce(${given('externalUrl')}, ${runSteps.externalUrl})`,
      result: sql`${given('result')}`,
      finishedAt: sql`coalesce(${given('at')}::timestamptz, clock_timestamp())`,
    })
    .where(and(GIVEN_STEP, eq(runSteps.attemptToken, given('attemptToken'))))
    .returning({ step: runSteps.step })
    .prepare('step_finished');
}

function given(name: string) {
  return sql.placeholder(name);
}

function ofRun(executionId: string, step: string) {
  return and(eq(runSteps.executionId, executionId), eq(runSteps.step, step));
}
