/**
 * Flink's SQL gateway (REST v1, https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql-gateway/rest/). A session and what is
 * declared in it end with it; a job that was submitted in it does not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import { FlinkHttp, rootCause } from './flink-http.ts';

const FIRST_LOOK_MS = 100;
const LONGEST_WAIT_MS = 1_000;
/** Of one statement: declaring or submitting, never the job itself. */
const STATEMENT_WITHIN_MS = 120_000;
/** A submission that is on its way is awaited so long when nobody wants the job any more. */
const SUBMISSION_ENDS_WITHIN_MS = 30_000;

const session = z.object({ sessionHandle: z.string() });
const operation = z.object({ operationHandle: z.string() });
const operationStatus = z.object({ status: z.string() });

export class SqlGateway {
  readonly #http: FlinkHttp;

  /** @param url FLINK_SQL_GATEWAY_URL */
  constructor(url: string) {
    this.#http = new FlinkHttp(url, "Flink's SQL gateway");
  }

  /**
   * Executes statements one after the other in a session of their own. The last one submits a job, which goes on. Once
   * that is on its way, `signal` aborts it late: whoever cancels looks for what to stop after this ended, and would not
   * see a job that Flink is still making.
   *
   * @throws EngineError `ValidationError`, with Flink's own words, for a statement that it does not take
   */
  async execute(
    statements: readonly string[],
    properties: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const opened = await this.#post(session, 'v1/sessions', { properties }, signal);
    const path = `v1/sessions/${opened.sessionHandle}`;
    try {
      for (const statement of statements.slice(0, -1)) await this.#statement(path, statement, signal);
      signal.throwIfAborted();
      await this.#statement(path, statements.at(-1) ?? '', delayed(signal, SUBMISSION_ENDS_WITHIN_MS));
    } finally {
      // The gateway ends sessions that nobody uses by itself.
      const closing = { method: 'DELETE', path, expected: [404, 500] } as const;
      await this.#http.call(z.unknown(), closing, AbortSignal.timeout(5_000)).catch(() => undefined);
    }
  }

  async #statement(sessionPath: string, statement: string, signal: AbortSignal): Promise<void> {
    const { operationHandle } = await this.#post(operation, `${sessionPath}/statements`, { statement }, signal);
    const path = `${sessionPath}/operations/${operationHandle}`;
    const deadlineMs = performance.now() + STATEMENT_WITHIN_MS;
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      const { status } = await this.#get(operationStatus, `${path}/status`, signal);
      if (status === 'FINISHED') return;
      if (status === 'ERROR') throw await this.#whyRefused(`${path}/result/0`, signal);
      if (status === 'CANCELED' || status === 'CLOSED' || status === 'TIMEOUT') {
        throw new EngineError('UnavailableError', `Flink's SQL gateway ended a statement: ${status}`);
      }
      if (performance.now() > deadlineMs) {
        throw new EngineError(
          'UnavailableError',
          `Flink's SQL gateway did not execute a statement within ${STATEMENT_WITHIN_MS / 1000} s`,
        );
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {
        signal.throwIfAborted();
      });
    }
  }

  /** The gateway tells why by failing to give the result: 500 with Java's stack trace. */
  async #whyRefused(path: string, signal: AbortSignal): Promise<EngineError> {
    try {
      await this.#get(z.unknown(), path, signal);
      return new EngineError('ValidationError', 'Flink refused a statement and told no reason');
    } catch (error) {
      if (!(error instanceof EngineError) || !error.message.includes(' answered 500 to ')) throw error;
      return refusedStatement(error.message);
    }
  }

  async #get<T>(schema: z.ZodType<T>, path: string, signal: AbortSignal): Promise<T> {
    return answered(await this.#http.call(schema, { method: 'GET', path }, signal));
  }

  async #post<T>(schema: z.ZodType<T>, path: string, body: unknown, signal: AbortSignal): Promise<T> {
    return answered(await this.#http.call(schema, { method: 'POST', path, body }, signal));
  }
}

/** Aborts so long after another signal did. */
function delayed(signal: AbortSignal, delayMs: number): AbortSignal {
  const later = new AbortController();
  const abort = (): void => {
    setTimeout(() => {
      later.abort(signal.reason);
    }, delayMs).unref();
  };
  signal.addEventListener('abort', abort, { once: true });
  return later.signal;
}

function answered<T>(answer: T | undefined): T {
  if (answer === undefined) throw new TypeError('no refusal was expected');
  return answer;
}

/** What cannot be submitted for now has another cause than SQL that Flink does not take; so has a session that is gone. */
function refusedStatement(message: string): EngineError {
  const away =
    /Connection refused|TimeoutException|Could not connect|JobSubmissionException|RestClientException|Connect(?:ion)?Exception|Session '[^']*' does not exist|Can not find the submitted operation/;
  // Whoever wrote the statement has no use for the path of the answer.
  const told = rootCause(message.replace(/^.*? answered 500 to \S+ \S+: /s, ''));
  return away.test(told)
    ? new EngineError('UnavailableError', `Flink cannot execute a statement: ${told}`)
    : new EngineError('ValidationError', `Flink refuses a statement: ${told}`);
}
