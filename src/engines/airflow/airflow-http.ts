/** HTTP with Airflow 3: a time limit, a token that is renewed when Airflow knows it no more, errors in our words. */
import type { Readable } from 'node:stream';
import { type HttpAnswer, NoAnswer, streamedExchange } from '../http-exchange.ts';
import { noAnswer, refusal } from './airflow-error.ts';
import { type Credentials, obtainToken } from './airflow-token.ts';
import { boundedText } from './bounded-body.ts';

export interface AirflowOptions extends Credentials {
  /** Where Airflow is, a path prefix included. */
  url: string;
  /** For one exchange, its whole answer included; 30 s when left out. */
  timeoutMs?: number;
}

export interface AirflowRequest {
  method: 'GET' | 'POST' | 'PATCH';
  /** From `/api/v2` on, with its query. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  accept?: 'application/json' | 'application/x-ndjson';
  /** Statuses that are answers, beside the successful ones. */
  expected?: readonly number[];
}

/** As it comes. */
export type AirflowAnswer = HttpAnswer<Readable>;

const UNKNOWN_TOKEN = Symbol('the token is not known');

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

export class AirflowHttp {
  /** Without a slash at the end. */
  readonly url: string;
  readonly #credentials: Credentials;
  readonly #timeoutMs: number;
  #token: Promise<string> | undefined;

  constructor({ url, username, password, timeoutMs = 30_000 }: AirflowOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#credentials = { username, password };
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param read makes something of a successful or expected answer; of what it leaves nothing is received
   * @throws EngineError for every other answer and for none; `signal.reason` when the signal aborts
   */
  async exchange<T>(
    request: AirflowRequest,
    signal: AbortSignal,
    read: (answer: AirflowAnswer) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      const known = this.#token;
      const first = await this.#send(request, signal, read, known !== undefined);
      if (first !== UNKNOWN_TOKEN) return first;
      if (this.#token === known) this.#token = undefined;
      // The answer to a fresh token is taken whatever it is.
      return (await this.#send(request, signal, read, false)) as T;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NoAnswer) throw noAnswer(error, this.url);
      throw error;
    }
  }

  async #send<T>(
    request: AirflowRequest,
    signal: AbortSignal,
    read: (answer: AirflowAnswer) => Promise<T>,
    renewable: boolean,
  ): Promise<T | typeof UNKNOWN_TOKEN> {
    const { method, path, body, accept = 'application/json', expected = [] } = request;
    const token = await this.#currentToken();
    const sent = {
      method,
      url: `${this.url}/api/v2${path}`,
      headers: {
        authorization: `Bearer ${token}`,
        accept,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      timeoutMs: this.#timeoutMs,
      signal,
    };
    return streamedExchange(sent, async (answer) => {
      const { status } = answer;
      // An expired token gets 401, one that a restarted Airflow does not know 403.
      if ((status === 401 || status === 403) && renewable) return UNKNOWN_TOKEN;
      if (isSuccess(status) || expected.includes(status)) return read(answer);
      throw refusal(status, await boundedText(answer), `${method} ${path.split('?')[0] ?? ''}`);
    });
  }

  /** Shared by all steps of this process; one that is cancelled must not take it from the others. */
  #currentToken(): Promise<string> {
    if (this.#token === undefined) {
      const obtaining = obtainToken(this.url, this.#credentials, this.#timeoutMs);
      this.#token = obtaining;
      obtaining.catch(() => {
        if (this.#token === obtaining) this.#token = undefined;
      });
    }
    return this.#token;
  }
}
