/**
 * What a failed query means for whoever asked. Drizzle's own error carries the statement and its parameters, which may
 * be a whole document: it never leaves the store.
 */
import { DrizzleQueryError } from 'drizzle-orm';
import { messageOf, ServiceError } from '../errors.ts';

/** SQLSTATE classes of a database that cannot work now: connection, resources, intervention, system. */
const AWAY_CLASSES = new Set(['08', '53', '57', '58', 'XX']);
/** Serialization failure, deadlock, lock not available, transaction idle or too long: another try may succeed. */
const AWAY_STATES = new Set(['40001', '40P01', '55P03', '25P02', '25P03', '25P04']);
/** A text with a NUL character or half a surrogate pair, which PostgreSQL cannot store. */
const UNTRANSLATABLE = new Set(['22021', '22P05', '22P02']);

/** Told by whoever expects it; this is two that raced. */
const UNIQUE_VIOLATION = '23505';

/** The error to throw instead of `thrown`; errors that are not the database's come back as they are. */
export function storeFailure(thrown: unknown): unknown {
  const cause = thrown instanceof DrizzleQueryError ? thrown.cause : thrown;
  const state = sqlState(cause);
  if (state === undefined) return thrown instanceof DrizzleQueryError ? databaseAway(cause) : thrown;
  if (UNTRANSLATABLE.has(state))
    return new ServiceError('VALIDATION_FAILED', 'A text contains a character that cannot be stored');
  if (state === UNIQUE_VIOLATION) return new ServiceError('CONFLICT', 'It exists already');
  return AWAY_STATES.has(state) || AWAY_CLASSES.has(state.slice(0, 2)) ? databaseAway(cause) : cause;
}

/** `SERVICE_UNAVAILABLE`; why is in its `cause`, for the log. */
export function databaseAway(cause: unknown): ServiceError {
  const failure = new ServiceError('SERVICE_UNAVAILABLE', 'The database is not available');
  failure.cause = cause;
  return failure;
}

/** The SQLSTATE, when the database itself refused: its connection is still good. `EPIPE` is none. */
export function sqlState(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('severity' in thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Why the database could not be opened, in words: without the statement, and with what stands behind `localhost`. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof DrizzleQueryError) return reasonOf(thrown.cause);
  return thrown instanceof AggregateError ? thrown.errors.map(messageOf).join('; ') : messageOf(thrown);
}
