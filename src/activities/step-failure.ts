import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { EngineError, messageOf, ServiceError } from '../errors.ts';

/**
 * The failure that Temporal is told. Cancellation is told as such; a shutdown of this worker is not a cancellation of
 * the step: it fails for now, and its successor goes on (spec section 2).
 */
export function toFailure(error: unknown, signal: AbortSignal): ApplicationFailure | CancelledFailure {
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
