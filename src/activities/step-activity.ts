/**
 * What every activity of a run has around its one effect: heartbeats from its start, the step's record and log,
 * cancellation as an AbortSignal, and errors as Temporal understands them.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { EngineContext } from '../engines/dataset.ts';
import type { Staging } from '../engines/staging.ts';
import { EngineError, messageOf, ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { StepInput, StepResult } from '../workflows/messages.ts';
import type { LoadedRun, RunLoader } from './load-run.ts';
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
}

/** Wraps one step's work as a Temporal activity. */
export function stepActivity<T extends StepResult>(
  dependencies: StepDependencies,
  work: (step: StepWork) => Promise<T>,
): (input: StepInput) => Promise<T> {
  const { store, staging, metrics, logger, loadRun } = dependencies;
  return async (input) => {
    const activity = Context.current();
    const { executionId, step } = input;
    const { activityType, attempt } = activity.info;
    const attemptToken = randomUUID();
    const startedAtMs = performance.now();
    let fraction = 0;
    activity.heartbeat(0);
    const heartbeats = setInterval(() => {
      activity.heartbeat(fraction);
    }, HEARTBEAT_EVERY_MS);
    await using log = new StepLog(store.logs, executionId, step, attempt, logger.child({ executionId, step, attempt }));
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
      const run = await loadRun(executionId);
      const result = await work({
        input,
        name: step.slice(step.indexOf(':') + 1),
        run,
        context: {
          signal: activity.cancellationSignal,
          log: (level, message) => {
            log.write(level, message);
          },
          progress: (done) => {
            fraction = done;
          },
        },
        newOutputFolder: async () => (await staging.newAttempt({ ...run.at, step })).path,
      });
      await finish('COMPLETED', { rows: result.rows, bytes: result.bytes, externalUrl: result.externalUrl, result });
      return result;
    } catch (error) {
      const failure = toFailure(error, activity.cancellationSignal);
      const cancelled = failure instanceof CancelledFailure;
      log.write(cancelled ? 'warn' : 'error', failure.message);
      await finish(cancelled ? 'CANCELLED' : 'FAILED', {
        error: { type: failure instanceof ApplicationFailure ? failure.type : failure.name, message: failure.message },
      }).catch((unrecorded: unknown) => {
        logger.warn({ err: unrecorded, executionId, step }, 'step outcome not recorded');
      });
      throw failure;
    } finally {
      clearInterval(heartbeats);
    }
  };
}

/**
 * The failure that Temporal is told. Cancellation is told as such; a shutdown of this worker is not a cancellation of
 * the step: it fails for now, and its successor goes on (spec section 2).
 */
function toFailure(error: unknown, signal: AbortSignal): ApplicationFailure | CancelledFailure {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    const shutdown = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
    if (!shutdown) return reason instanceof CancelledFailure ? reason : new CancelledFailure(messageOf(reason));
    return ApplicationFailure.create({
      type: 'WorkerShutdown',
      message: 'The worker shut down; another one goes on',
      nextRetryDelay: '1s',
    });
  }
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof EngineError) {
    return ApplicationFailure.create({ type: error.type, message: error.message, nonRetryable: !error.retryable });
  }
  if (error instanceof ServiceError) {
    const final = error.code === 'VALIDATION_FAILED';
    const faults = error.faults.map(({ path, message }) => `${path}: ${message}`).join('; ');
    const message = faults === '' ? error.message : `${error.message}: ${faults}`;
    return ApplicationFailure.create({ type: final ? 'ValidationError' : error.code, message, nonRetryable: final });
  }
  return ApplicationFailure.create({ type: 'UnexpectedError', message: messageOf(error) });
}
