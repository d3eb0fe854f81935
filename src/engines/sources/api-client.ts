/** Requests to one API: redirects followed, rate limits waited for, refusals as errors. */
import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, type EngineErrorType } from '../../errors.ts';
import type { ApiSource } from '../../schemas/api-source.ts';
import type { EngineContext } from '../dataset.ts';
import type { EgressGuard } from '../egress-guard.ts';
import {
  AnswerTooLarge,
  type HttpAnswer,
  type HttpRequest,
  NoAnswer,
  streamedExchange,
  wholeBody,
} from '../http-exchange.ts';
import { retryAfterMs } from './retry-after.ts';

export interface ApiHeader {
  value: string;
  /** Whether a secret is in it: then it is for the source's own origin only. */
  secret: boolean;
}

export interface ApiLimits {
  /** Of one page, unpacked. */
  pageBytes: number;
  /** Of all records together, as JSON. */
  totalBytes: number;
  /** Of one request, with its answer. */
  requestTimeoutMs: number;
  /** The longest time that an API may ask to wait; what asks for more is tried again by the step's retries. */
  waitMs: number;
  /** How often in a row it may ask. */
  waits: number;
}

export interface ApiClientOptions {
  source: ApiSource;
  headers: Readonly<Record<string, ApiHeader>>;
  egress: EgressGuard;
  limits: ApiLimits;
}

export interface ApiAnswer extends HttpAnswer {
  /** Where it came from, after redirects. */
  url: URL;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The statuses with which a server says "not now", and perhaps when. */
const WAITS = new Set([429, 503]);
/** Without `Retry-After`: this, and each time twice as long. */
const FIRST_WAIT_MS = 1_000;
/** These hold who asks, be it a secret of ours or not. */
const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key', 'api-key']);

export class ApiClient {
  readonly #options: ApiClientOptions;
  readonly #origin: string;
  readonly #context: EngineContext;

  constructor(options: ApiClientOptions, context: EngineContext) {
    this.#options = options;
    this.#origin = new URL(options.source.url).origin;
    this.#context = context;
  }

  /**
   * @returns a success
   * @throws EngineError `PermissionDeniedError` for 401, 403 and where EGRESS_ALLOW does not let it go; `ValidationError`
   *   for other refusals; `UnavailableError` for what may pass
   */
  async ask(url: URL): Promise<ApiAnswer> {
    const { waits, waitMs } = this.#options.limits;
    for (let asked = 0; ; asked += 1) {
      const answer = await this.#follow(url);
      if (!WAITS.has(answer.status)) return accepted(answer);
      const wait =
        retryAfterMs(answer.headers['retry-after'], Date.now()) ?? Math.min(waitMs, FIRST_WAIT_MS * 2 ** asked);
      if (asked === waits) throw refusal(answer, `it was asked ${asked + 1} times`);
      if (wait > waitMs) throw refusal(answer, `it wants ${Math.ceil(wait / 1000)} s to pass`);
      this.#context.log('info', `${answer.url.host} answered ${told(answer)}; waiting ${Math.ceil(wait / 1000)} s`);
      await this.#sleep(wait);
    }
  }

  async #follow(first: URL): Promise<ApiAnswer> {
    const { source, limits, egress } = this.#options;
    const { signal } = this.#context;
    let url = first;
    let method = source.method;
    let trusted = url.origin === this.#origin;
    for (let redirects = 0; ; redirects += 1) {
      signal.throwIfAborted();
      const addresses = await this.#unlessAborted(egress.addressesOf(url));
      const answer = await this.#exchange({
        method,
        url: url.href,
        addresses,
        headers: this.#headers(trusted, method),
        ...(method === 'POST' && source.body !== undefined && { body: JSON.stringify(source.body) }),
        timeoutMs: limits.requestTimeoutMs,
        signal,
      });
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.status) || location === undefined) return { ...answer, url };
      if (redirects === MAX_REDIRECTS) {
        throw new EngineError('ValidationError', `${first.host} redirects more than ${MAX_REDIRECTS} times`);
      }
      url = redirectTarget(location, url);
      // Once elsewhere, whoever is there decides what is asked next, so that the way back gets no secret either.
      trusted &&= url.origin === this.#origin;
      // As browsers do (WHATWG Fetch, HTTP-redirect fetch).
      if (answer.status <= 303) method = 'GET';
    }
  }

  /** What a server says that is no success may hold what it was sent, so that is not read. */
  async #exchange(request: HttpRequest): Promise<HttpAnswer> {
    const { pageBytes } = this.#options.limits;
    try {
      return await streamedExchange(request, async (answer) => {
        const succeeded = answer.status >= 200 && answer.status < 300;
        if (succeeded) refusePacked(answer.headers);
        return { ...answer, body: succeeded ? await wholeBody(answer, pageBytes) : Buffer.alloc(0) };
      });
    } catch (error) {
      if (error instanceof AnswerTooLarge) {
        throw new EngineError('ValidationError', `an answer has more than ${pageBytes} bytes; ask for smaller pages`);
      }
      if (!(error instanceof NoAnswer)) throw error;
      if (error.code === 'ERR_INVALID_CHAR') {
        throw new EngineError('ValidationError', 'headers: a value has characters that HTTP cannot carry');
      }
      throw new EngineError('UnavailableError', `${new URL(request.url).host} did not answer: ${error.message}`);
    }
  }

  #headers(trusted: boolean, method: ApiSource['method']): Record<string, string> {
    const { headers, source } = this.#options;
    const sent = Object.entries(headers).filter(
      ([name, { secret }]) => trusted || !(secret || CREDENTIALS.has(name.toLowerCase())),
    );
    return {
      accept: 'application/json',
      ...(method === 'POST' && source.body !== undefined && { 'content-type': 'application/json' }),
      ...Object.fromEntries(sent.map(([name, { value }]) => [name.toLowerCase(), value])),
    };
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#context;
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }

  /** A name server can take long to answer, and asking it cannot be stopped. */
  async #unlessAborted<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#context;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** What was unpacked says no more how it was packed. */
function refusePacked(headers: HttpAnswer['headers']): void {
  if (!['', 'identity'].includes(headers['content-encoding']?.trim().toLowerCase() ?? '')) {
    throw new EngineError(
      'UnsupportedError',
      'the answer is packed in a way that was not asked for; expected gzip or br',
    );
  }
}

function redirectTarget(location: string, from: URL): URL {
  const target = URL.parse(location, from.href);
  if (target === null || !/^https?:$/.test(target.protocol)) {
    throw new EngineError('ValidationError', `${from.host} redirects to what is no web address`);
  }
  target.hash = '';
  // A user and a password in an address would be sent as a header of the server's choice.
  target.username = '';
  target.password = '';
  return target;
}

function accepted(answer: ApiAnswer): ApiAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusal(answer);
}

/** Paths and texts of an answer are not told: they may hold what was sent. */
function refusal(answer: ApiAnswer, why?: string): EngineError {
  const { status } = answer;
  const hint = why ?? HINTS[status];
  const message = `${answer.url.host} answered ${told(answer)}${hint === undefined ? '' : `; ${hint}`}`;
  return new EngineError(typeOf(status), message);
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'compare the headers of the source, and the secrets in them, with what the API expects',
  403: 'the API does not allow this to whoever the headers of the source name',
  404: 'compare the url of the source with the API',
  405: 'compare the method of the source with the API',
};

function typeOf(status: number): EngineErrorType {
  if (status === 401 || status === 403 || status === 407) return 'PermissionDeniedError';
  if (status >= 500 || [408, 425, 429].includes(status)) return 'UnavailableError';
  return 'ValidationError';
}

function told({ status }: ApiAnswer): string {
  const name = STATUS_CODES[status];
  return name === undefined ? String(status) : `${status} ${name}`;
}
