/** HTTP with Airflow 3: a time limit, a token that is renewed when Airflow knows it no more, errors in our words. */
import { EngineError } from '../../errors.ts';
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
   * @param read makes something of a successful or expected answer
   * @throws EngineError for every other answer and for none; `signal.reason` when the signal aborts
   */
  async exchange<T>(
    request: AirflowRequest,
    signal: AbortSignal,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      const known = this.#token;
      let response = await this.#send(request, signal);
      // An expired token gets 401, one that a restarted Airflow does not know 403.
      if ((response.status === 401 || response.status === 403) && known !== undefined) {
        await response.body?.cancel();
        if (this.#token === known) this.#token = undefined;
        response = await this.#send(request, signal);
      }
      if (response.ok || request.expected?.includes(response.status) === true) return await read(response);
      const asked = `${request.method} ${request.path.split('?')[0] ?? ''}`;
      throw refusal(response.status, await boundedText(response), asked);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof EngineError ? error : noAnswer(error, this.url, this.#timeoutMs);
    }
  }

  async #send({ method, path, body, accept }: AirflowRequest, signal: AbortSignal): Promise<Response> {
    const token = await this.#currentToken();
    return fetch(`${this.url}/api/v2${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: accept ?? 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]),
    });
  }

  /** Shared by all steps of this process; one that is cancelled must not take it from the others. */
  #currentToken(): Promise<string> {
    if (this.#token === undefined) {
      const obtaining = obtainToken(this.url, this.#credentials, AbortSignal.timeout(this.#timeoutMs));
      this.#token = obtaining;
      obtaining.catch(() => {
        if (this.#token === obtaining) this.#token = undefined;
      });
    }
    return this.#token;
  }
}
