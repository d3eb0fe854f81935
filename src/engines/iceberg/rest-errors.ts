/** Answers of a REST catalog that are errors (REST specification, `IcebergErrorResponse`), as EngineErrors. */
import { EngineError, type EngineErrorType } from '../../errors.ts';
import type { CatalogAnswer } from './rest-exchange.ts';

export interface CatalogFault {
  /** `NoSuchTableException`, …; undefined when the answer is not a catalog's, but that of something in front of it. */
  type: string | undefined;
  message: string;
}

const MAX_MESSAGE_LENGTH = 500;

export function faultOf({ status, text }: CatalogAnswer): CatalogFault {
  try {
    const parsed = JSON.parse(text) as { error?: { message?: unknown; type?: unknown } } | null;
    const error = parsed?.error;
    if (typeof error === 'object') {
      const { message, type } = error;
      const told = typeof message === 'string' && message !== '' ? message : `HTTP ${status}`;
      return { type: typeof type === 'string' ? type : 'unnamed', message: oneLine(told) };
    }
  } catch {
    // What is no JSON says nothing that is worth telling.
  }
  return { type: undefined, message: `HTTP ${status}` };
}

/** What an answer that is no success means for whoever asked. */
export function refusalOf(answer: CatalogAnswer, asked: string): EngineError {
  const { type, message } = faultOf(answer);
  const told = `the Iceberg catalog did not ${asked}: ${describe(answer.status, message)}`;
  return new EngineError(engineTypeOf(answer.status, type), told);
}

function engineTypeOf(status: number, type: string | undefined): EngineErrorType {
  if (status === 401 || status === 403 || status === 419) return 'PermissionDeniedError';
  if (status === 405 || status === 406) return 'UnsupportedError';
  // Without a catalog's own words it is a gateway whose catalog is not there yet.
  if (status === 404 && type === undefined) return 'UnavailableError';
  const passing = [408, 425, 429].includes(status);
  return status >= 400 && status < 500 && !passing ? 'ValidationError' : 'UnavailableError';
}

function describe(status: number, message: string): string {
  const told = message.startsWith('HTTP ') ? message : `${message} (HTTP ${status})`;
  if (status === 401 || status === 419) return `it takes neither ICEBERG_TOKEN nor ICEBERG_CREDENTIAL; ${told}`;
  if (status === 403) return `it does not allow that to this user; ${told}`;
  if (status === 429) return `too many requests; ${told}`;
  if (status >= 300 && status < 400) return `it redirects to elsewhere, ICEBERG_REST_URI must name it; ${told}`;
  return told;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
}
