/**
 * What every activity of a run has around its one effect: heartbeats from its start, the step's record and log,
 * cancellation as an AbortSignal, and errors as Temporal understands them.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { EngineContext } from '../engines/dataset.ts';
import type { JobFolder } from '../engines/job-folder.ts';
import type { Staging, StagingFolder } from '../engines/staging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { StepInput, StepResult } from '../workflows/messages.ts';
import type { LoadedRun, RunLoader } from './load-run.ts';
import { toFailure } from './step-failure.ts';
import { StepLog } from './step-log.ts';

/** Well below the heartbeat timeout of 15 s; what is too often is throttled by the worker. */
const HEARTBEAT_EVERY_MS = 1_000;

export interface StepDependencies {
  store: Store;
  staging: Staging;
  metrics: Metrics;
  logger: Logger;
  loadRun: RunLoader;
}

/** What a step works with. */
export interface StepWork {
  input: StepInput;
  /** The name of the source, transformation or sink; the step without its kind. */
  name: string;
  run: LoadedRun;
  context: EngineContext;
  /** Makes the folder that this attempt alone writes to. */
  newOutputFolder: () => Promise<string>;
  /** The folder that a job in another system writes to, the same for every attempt that finds the job. */
  jobFolder: (jobName: string) => Promise<JobFolder>;
  /** Shows people where the work can be seen in another system, from now on. */
  link: (externalUrl: string) => Promise<void>;
}

/** Wraps one step's work as a Temporal activity. */
export function stepActivity<T extends StepResult>(
  dependencies: StepDependencies,
  work: (step: StepWork) => Promise<T>,
): (input: StepInput) => Promise<T> {
  const { store, metrics, logger } = dependencies;
  return (input) =>
    attemptOf(dependencies, input, async ({ token: attemptToken, log, prepare, handOver }) => {
      const { executionId, step } = input;
      const {
        cancellationSignal,
        info: { activityType, attempt },
      } = Context.current();
      const startedAtMs = performance.now();
      const finish = async (outcome: 'COMPLETED' | 'FAILED' | 'CANCELLED', details: object): Promise<void> => {
        const seconds = (performance.now() - startedAtMs) / 1000;
        metrics.activityExecutionSeconds.observe(
          { activity_type: activityType, outcome: outcome.toLowerCase() },
          seconds,
        );
        await store.steps.finished({ executionId, step, attemptToken, status: outcome, ...details });
      };
      try {
        if (attempt > 1) metrics.activityRetries.inc({ activity_type: activityType });
        await store.steps.started({ executionId, step, activity: activityType, attemptToken });
        const result = await handOver(await work(await prepare()));
        await finish('COMPLETED', { rows: result.rows, bytes: result.bytes, externalUrl: result.externalUrl, result });
        return result;
      } catch (error) {
        const failure = toFailure(error, cancellationSignal);
        const cancelled = failure instanceof CancelledFailure;
        log.write(cancelled ? 'warn' : 'error', failure.message);
        await finish(cancelled ? 'CANCELLED' : 'FAILED', {
          error: {
            type: failure instanceof ApplicationFailure ? failure.type : failure.name,
            message: failure.message,
          },
        }).catch((unrecorded: unknown) => {
          logger.warn({ err: unrecorded, executionId, step }, 'step outcome not recorded');
        });
        throw failure;
      }
    });
}

/** What an attempt of an activity has, whatever it does. */
interface StepAttempt {
  token: string;
  log: StepLog;
  /** Looks up what the step is about. */
  prepare: () => Promise<StepWork>;
  /** The result, with its output where the next steps find it. */
  handOver: <T extends StepResult>(result: T) => Promise<T>;
}

/** Has all of that around `body`. */
export async function attemptOf<T>(
  { store, staging, logger, loadRun }: StepDependencies,
  input: StepInput,
  body: (attempt: StepAttempt) => Promise<T>,
): Promise<T> {
  const { executionId, requestId, step } = input;
  const { cancellationSignal, info } = Context.current();
  const { attempt } = info;
  const token = randomUUID();
  return heartbeating(async (progress) => {
    await using log = new StepLog(
      store.logs,
      executionId,
      step,
      attempt,
      logger.child({ requestId, executionId, step, attempt }),
    );
    const context: EngineContext = {
      signal: cancellationSignal,
      log: (level, message) => {
        log.write(level, message);
      },
      progress,
    };
    const folders: StagingFolder[] = [];
    const prepare = async (): Promise<StepWork> => {
      const run = await loadRun(executionId);
      const link = (externalUrl: string) => store.steps.linked({ executionId, step, attemptToken: token }, externalUrl);
      return stepWork(staging, folders, { input, run, context, link });
    };
    const handOver = async <R extends StepResult>(result: R): Promise<R> => {
      if (result.output === undefined) return result;
      const { at } = await loadRun(executionId);
      return { ...result, output: await staging.handOver({ ...at, step }, result.output, context.signal) };
    };
    try {
      return await body({ token, log, prepare, handOver });
    } finally {
      await Promise.allSettled(folders.map((folder) => staging.release(folder)));
    }
  });
}

/** @param folders gets those that the step makes, which whoever ends it releases */
export function stepWork(
  staging: Staging,
  folders: StagingFolder[],
  parts: Pick<StepWork, 'input' | 'run' | 'context' | 'link'>,
): StepWork {
  const { step } = parts.input;
  const at = { ...parts.run.at, step };
  return {
    ...parts,
    name: step.slice(step.indexOf(':') + 1),
    newOutputFolder: async () => {
      const folder = await staging.newAttempt(at);
      folders.push(folder);
      return folder.path;
    },
    jobFolder: (jobName) => staging.ofJob(at, jobName),
  };
}

/** Heartbeats while `body` works, and makes whatever it throws a failure that Temporal understands. */
export async function heartbeating<T>(body: (progress: (fraction: number) => void) => Promise<T>): Promise<T> {
  const activity = Context.current();
  let fraction = 0;
  activity.heartbeat(0);
  const heartbeats = setInterval(() => {
    activity.heartbeat(fraction);
  }, HEARTBEAT_EVERY_MS);
  try {
    return await body((done) => {
      fraction = done;
    });
  } catch (error) {
    throw toFailure(error, activity.cancellationSignal);
  } finally {
    clearInterval(heartbeats);
  }
}
