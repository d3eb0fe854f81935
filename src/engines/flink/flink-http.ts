/** HTTP with a SQL gateway or a job manager: a time limit, a bound on answers, errors in our words. */
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import { AnswerTooLarge, exchange, type HttpRequest, NoAnswer, refusalType } from '../http-exchange.ts';

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 8_000_000;
const TOLD_LENGTH = 2_000;

export interface FlinkRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query, without a slash in front. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Statuses that mean "there is none", or "it has ended already". */
  expected?: readonly number[];
}

const refusal = z.object({ errors: z.array(z.string()) });

export class FlinkHttp {
  /** Ends with a slash. */
  readonly url: string;
  readonly #what: string;

  /** @param what `Flink's SQL gateway`, for messages */
  constructor(url: string, what: string) {
    this.url = url.replace(/\/*$/, '/');
    this.#what = what;
  }

  /**
   * Undefined for an expected refusal.
   *
   * @throws EngineError for any other answer and for none: 408, 429, 5xx and silence are `UnavailableError`
   */
  async call<T>(schema: z.ZodType<T>, request: FlinkRequest, signal: AbortSignal): Promise<T | undefined> {
    const { method, path, body, expected = [] } = request;
    const { status, text } = await this.#exchange({
      method,
      url: this.url + path,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (expected.includes(status)) return undefined;
    if (status < 200 || status > 299) throw this.#refused(status, text, request);
    const parsed = schema.safeParse(parse(text));
    if (parsed.success) return parsed.data;
    throw new EngineError(
      'UnsupportedError',
      `${this.#what} answered something else than expected to ${method} ${path}`,
    );
  }

  async #exchange(request: HttpRequest): Promise<{ status: number; text: string }> {
    try {
      const { status, body } = await exchange(request, MAX_ANSWER_BYTES);
      return { status, text: body.toString() };
    } catch (error) {
      if (error instanceof AnswerTooLarge) {
        throw new EngineError('UnsupportedError', `${this.#what} answered ${error.message}`);
      }
      if (!(error instanceof NoAnswer)) throw error;
      throw new EngineError('UnavailableError', `${this.#what} at ${this.url} is away: ${error.message}`, {
        cause: error,
      });
    }
  }

  #refused(status: number, text: string, { method, path }: FlinkRequest): EngineError {
    const said = refusal.safeParse(parse(text));
    const detail = rootCause((said.success ? said.data.errors : [text]).join('\n'));
    const message = `${this.#what} answered ${status} to ${method} ${path.split('?')[0] ?? ''}: ${detail}`;
    return new EngineError(refusalType(status), message);
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What went wrong at the bottom of a Java stack trace: the last of its causes, each with the message under it. */
export function rootCause(trace: string): string {
  const causes = trace.split(/\n(?=Caused by: )/);
  const last = (causes.at(-1) ?? trace).replace(/^Caused by: /, '');
  const message = last.split('\n').filter((line) => !/^\s+at |^\s*\.\.\. \d+ more|^End of exception/.test(line));
  return message.join(' ').replace(/\s+/g, ' ').trim().slice(0, TOLD_LENGTH);
}
