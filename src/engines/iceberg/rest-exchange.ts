/** A request to an Iceberg catalog, and whether it may have had its effect. */
import { EngineError } from '../../errors.ts';
import { AnswerTooLarge, exchange, type HttpRequest, NoAnswer } from '../http-exchange.ts';

export interface CatalogAnswer {
  status: number;
  text: string;
  /** The `Retry-After` header, when it was a number of seconds. */
  retryAfterMs: number | undefined;
}

/** Table metadata of tens of thousands of snapshots is a fraction of this. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Thrown when the request surely did not reach anybody. */
export class NotSent extends Error {
  override readonly name = 'NotSent';
  override readonly cause: EngineError;

  constructor(cause: EngineError) {
    super(cause.message);
    this.cause = cause;
  }
}

/**
 * @throws NotSent
 * @throws EngineError `UnavailableError` when the answer did not come, or not whole: the request may have had its effect
 */
export async function askCatalog(request: HttpRequest): Promise<CatalogAnswer> {
  try {
    const { status, headers, body } = await exchange(request, MAX_ANSWER_BYTES);
    const seconds = Number(headers['retry-after'] ?? Number.NaN);
    return { status, text: body.toString(), retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined };
  } catch (error) {
    if (!(error instanceof NoAnswer || error instanceof AnswerTooLarge)) throw error;
    const { origin } = new URL(request.url);
    const unavailable = new EngineError('UnavailableError', `${origin} did not answer: ${error.message}`);
    throw error instanceof NoAnswer && error.unseen ? new NotSent(unavailable) : unavailable;
  }
}
