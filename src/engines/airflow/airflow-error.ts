/** What Airflow's answers and its silence mean to a step: the one place where HTTP becomes an `EngineError`. */
import { EngineError, type EngineErrorType } from '../../errors.ts';
import type { NoAnswer } from '../http-exchange.ts';

const DETAIL_LIMIT = 500;

const TYPE_BY_STATUS: Readonly<Record<number, EngineErrorType>> = {
  400: 'ValidationError',
  401: 'PermissionDeniedError',
  403: 'PermissionDeniedError',
  404: 'ValidationError',
  408: 'UnavailableError',
  409: 'ValidationError',
  422: 'ValidationError',
  425: 'UnavailableError',
  429: 'UnavailableError',
};

/** An answer that is none of those that were expected. */
export function refusal(status: number, body: string, asked: string): EngineError {
  const type = TYPE_BY_STATUS[status] ?? (status >= 500 ? 'UnavailableError' : 'UnsupportedError');
  const detail = detailOf(body);
  return new EngineError(type, `Airflow answered ${status} to ${asked}${detail === '' ? '' : `: ${detail}`}`);
}

/** No answer: refused, reset, not found by name, or not in time. */
export function noAnswer(error: NoAnswer, url: string): EngineError {
  return new EngineError('UnavailableError', `Airflow at ${url} is away: ${error.message}`, { cause: error });
}

/** `{detail}` is a text, an object with a reason, or FastAPI's list of what is wrong with the request. */
function detailOf(body: string): string {
  let detail: unknown = body;
  try {
    detail = (JSON.parse(body) as { detail?: unknown }).detail;
  } catch {
    // Not JSON: a proxy's page, of which the beginning may help.
  }
  return (typeof detail === 'string' ? detail : faultsOf(detail)).replace(/\s+/g, ' ').trim().slice(0, DETAIL_LIMIT);
}

function faultsOf(detail: unknown): string {
  if (!Array.isArray(detail)) return detail === undefined || detail === null ? '' : JSON.stringify(detail);
  return (detail as { loc?: unknown[]; msg?: string }[])
    .map(({ loc = [], msg = '' }) => `${loc.join('.')}: ${msg}`)
    .join('; ');
}
