import type { NativeConnection } from '@temporalio/worker';
import { ServiceError } from '../errors.ts';
import { hasGrpcStatus } from './grpc-status.ts';

/** A little more than the deadline itself, which the native client applies to each of its own retries. */
const MARGIN_MS = 50;

/**
 * Calls Temporal with a time limit: whoever asks the API gets an answer within 2 s, or 503, never a hang (spec section 4).
 * @throws ServiceError SERVICE_UNAVAILABLE when Temporal is away, overloaded or too slow; whatever else `call` throws
 */
export async function withDeadline<T>(
  connection: NativeConnection,
  timeoutMs: number,
  call: () => Promise<T>,
): Promise<T> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    limit.reject(unavailable());
  }, timeoutMs + MARGIN_MS);
  try {
    return await Promise.race([connection.withDeadline(Date.now() + timeoutMs, call), limit.promise]);
  } catch (error) {
    const away = hasGrpcStatus(error, 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'RESOURCE_EXHAUSTED');
    throw away ? unavailable(error) : error;
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(cause?: unknown): ServiceError {
  const error = new ServiceError('SERVICE_UNAVAILABLE', 'Temporal does not answer; try again');
  if (cause !== undefined) error.cause = cause;
  return error;
}
