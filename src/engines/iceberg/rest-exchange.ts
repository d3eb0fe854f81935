/** One HTTP request and its answer, within limits of time and size; no redirect is followed. */
import { EngineError, messageOf } from '../../errors.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers: Record<string, string>;
  body?: string;
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  text: string;
  /** The `Retry-After` header, when it was a number of seconds. */
  retryAfterMs: number | undefined;
}

/** Table metadata of tens of thousands of snapshots is a fraction of this. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** With these the connection was never made, so the other side has seen nothing. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

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
export async function exchange({ method, url, headers, body, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    return {
      status: response.status,
      text: await readText(response),
      retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined,
    };
  } catch (error) {
    const { reason, code } = describe(error, timeoutMs);
    const unavailable = new EngineError('UnavailableError', `${url.origin} did not answer: ${reason}`);
    throw code !== undefined && NOT_CONNECTED.has(code) ? new NotSent(unavailable) : unavailable;
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** `fetch` says "fetch failed" and hides why in its cause. */
function describe(error: unknown, timeoutMs: number): { reason: string; code: string | undefined } {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return { reason: `no answer within ${timeoutMs / 1000} s`, code: undefined };
  }
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { code } = cause as { code?: unknown };
  return typeof code === 'string' ? { reason: code, code } : { reason: messageOf(cause), code: undefined };
}
