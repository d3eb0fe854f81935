/**
 * One HTTP request to another system and its answer, within limits of time and size. No redirect is followed, no proxy
 * of the environment is used, and no status is an error: what an answer means, each engine says itself.
 */
import { Agent as HttpAgent, validateHeaderValue } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import axios from 'axios';
import { type EngineErrorType, messageOf } from '../errors.ts';
import type { NetworkAddress } from './network-address.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent as it is. */
  body?: string;
  /** For all of it, from connecting to the last byte. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /**
   * One of these is connected to, by a connection of this request's own; the host's name is only said (Host, TLS), not
   * looked up.
   */
  addresses?: readonly NetworkAddress[];
}

export interface HttpAnswer<T = Buffer> {
  status: number;
  /** By their names in lower case. */
  headers: Readonly<Partial<Record<string, string>>>;
  /** Unpacked. */
  body: T;
}

/** With these the connection was never made, so the other side has seen nothing. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** The answer did not come, or not whole. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** Of the system, such as ECONNREFUSED; undefined when it was too late or too large. */
  readonly code: string | undefined;
  /** Whether the other side surely has not seen the request. */
  readonly unseen: boolean;

  constructor(message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.unseen = options.code !== undefined && NOT_CONNECTED.has(options.code);
  }
}

/** The answer has more bytes than were wanted. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/** What a refusal of an engine that has no words of its own for it means to a step. */
export function refusalType(status: number): EngineErrorType {
  if (status === 401 || status === 403) return 'PermissionDeniedError';
  return status === 408 || status === 429 || status >= 500 ? 'UnavailableError' : 'ValidationError';
}

/**
 * The whole answer.
 *
 * @param maxBytes of the answer, unpacked
 * @throws NoAnswer
 * @throws AnswerTooLarge
 * @throws the reason of `signal` when it is aborted
 */
export function exchange(request: HttpRequest, maxBytes: number): Promise<HttpAnswer> {
  return streamedExchange(request, async (answer) => ({ ...answer, body: await wholeBody(answer, maxBytes) }));
}

/** @throws AnswerTooLarge */
export async function wholeBody({ body }: HttpAnswer<Readable>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new AnswerTooLarge(`more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The answer as it comes.
 *
 * @param read its outcome is that of the exchange; what it leaves of the answer is not received
 * @throws NoAnswer, also when `read` failed on what came of it
 * @throws the reason of `signal` when it is aborted
 */
export async function streamedExchange<T>(
  request: HttpRequest,
  read: (answer: HttpAnswer<Readable>) => Promise<T>,
): Promise<T> {
  const { method, url, headers, body, timeoutMs, addresses } = request;
  request.signal?.throwIfAborted();
  refuseBadHeaders(headers);
  const late = AbortSignal.timeout(timeoutMs);
  let failed: unknown;
  try {
    const answer = await axios.request<Readable>({
      method,
      url,
      headers: { 'user-agent': 'pipeline-service', ...headers },
      ...(body !== undefined && { data: body }),
      transformRequest: (data: unknown) => data,
      responseType: 'stream',
      validateStatus: () => true,
      maxRedirects: 0,
      maxBodyLength: Infinity,
      proxy: false,
      signal: request.signal === undefined ? late : AbortSignal.any([request.signal, late]),
      ...(addresses !== undefined && connectingTo(addresses)),
    });
    answer.data.once('error', (error) => {
      failed = error;
    });
    try {
      return await read({ status: answer.status, headers: lowerCased(answer.headers), body: answer.data });
    } finally {
      answer.data.destroy();
    }
  } catch (error) {
    request.signal?.throwIfAborted();
    if (late.aborted) throw new NoAnswer(`no whole answer within ${timeoutMs / 1000} s`, { cause: error });
    if (axios.isAxiosError(error) || error === failed) throw noAnswer(error);
    throw error;
  }
}

/** They would be sent without the characters that HTTP cannot carry, which is another header. */
function refuseBadHeaders(headers: HttpRequest['headers'] = {}): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderValue(name, value);
    } catch (error) {
      throw noAnswer(error);
    }
  }
}

/** A pooled connection may lead to where an earlier request was allowed to go. */
function connectingTo(addresses: readonly NetworkAddress[]) {
  return {
    httpAgent: new HttpAgent(),
    httpsAgent: new HttpsAgent(),
    lookup: (_host: string, _options: object, told: (error: Error | null, found: NetworkAddress[]) => void) => {
      told(addresses.length === 0 ? new Error('no address') : null, [...addresses]);
    },
  };
}

function lowerCased(headers: object): Partial<Record<string, string>> {
  const entries = Object.entries(headers) as [string, unknown][];
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')]));
}

/** The code where there is one: it says what happened and nothing else. */
function noAnswer(error: unknown): NoAnswer {
  const cause: unknown = (error as Error).cause ?? error;
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const code = (inner as NodeJS.ErrnoException).code ?? (error as NodeJS.ErrnoException).code;
  return new NoAnswer(code ?? messageOf(inner), { cause: error, ...(code !== undefined && { code }) });
}
