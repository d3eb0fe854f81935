import { EngineError, type EngineErrorType } from '../../errors.ts';
import type { DbtResults } from './run-results.ts';

/** Of the messages of dbt and of a database; the log has all. */
const TOLD_LENGTH = 2000;

/** What the database says when it does not let dbt in; the words of PostgreSQL and of what is modelled on it. */
const DENIED =
  /password authentication failed|no password supplied|permission denied|pg_hba\.conf|role "[^"]*" does not exist|[Aa]ccess denied|not authorized/;
const AWAY =
  /connection (?:to server|refused|reset|timed out)|could not connect|server closed the connection|timeout expired|Could not set lock on file|could not translate host name/i;

/** dbt's own words for what went wrong; models and tests that failed first. */
export function dbtFailure(
  code: number,
  errors: readonly string[],
  results: DbtResults | undefined,
  redact: (text: string) => string,
): EngineError {
  const failures = results?.failures.map(redact) ?? [];
  const told = failures.length > 0 ? failures : errors;
  const text = told.length > 0 ? told.join('; ') : `exit code ${code}, without a word`;
  if (failures.length > 0 && results !== undefined) {
    const { models, tests } = results;
    const counts = [countsOf(models, 'models'), countsOf(tests, 'tests')].filter((count) => count !== '').join(', ');
    return failure('JobFailedError', `dbt: ${counts}: ${text}`);
  }
  if (DENIED.test(text)) return failure('PermissionDeniedError', `dbt was not let in: ${text}`);
  if (AWAY.test(text)) return failure('UnavailableError', `dbt cannot reach its database: ${text}`);
  // Exit code 1 without results: the project, its profile or its selection; 2: dbt itself broke or was interrupted.
  return failure(
    code === 1 || code === 2 ? 'ValidationError' : 'UnavailableError',
    `dbt did not start its work: ${text}`,
  );
}

function countsOf({ passed, failed, skipped }: DbtResults['models'], what: string): string {
  if (passed + failed + skipped === 0) return '';
  return `${failed} of ${passed + failed + skipped} ${what} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

function failure(type: EngineErrorType, message: string): EngineError {
  return new EngineError(type, message.length > TOLD_LENGTH ? `${message.slice(0, TOLD_LENGTH)}…` : message);
}
