/** The REST submission server of a standalone Spark master, as far as a step needs it; the one place where its answers become errors. */
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import { AnswerTooLarge, exchange, type HttpRequest, NoAnswer, refusalType } from '../http-exchange.ts';

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 1_000_000;
const TOLD_LENGTH = 2_000;
/** Of the protocol; the master takes clients of other versions, too. */
const CLIENT_VERSION = '4.1.4';

const answer = z.object({
  success: z.boolean().optional(),
  submissionId: z.string().optional(),
  driverState: z.string().optional(),
  message: z.string().optional(),
});

export interface DriverRequest {
  /** Of the launcher: a path that the workers have, or a URI that they can copy it from; and what it is given. */
  script: string;
  args: readonly string[];
  /** Python files that the application imports, separated by commas, where the driver runs. */
  pythonFiles: string;
  properties: Readonly<Record<string, string>>;
}

export interface DriverStatus {
  /** SUBMITTED, RUNNING, FINISHED, RELAUNCHING, UNKNOWN, KILLED, FAILED, ERROR */
  state: string;
  /** Why, when the master knows. */
  message: string;
}

export class StandaloneMaster {
  /** Without a slash at the end. */
  readonly #url: string;

  /** @param url SPARK_REST_URL */
  constructor(url: string) {
    this.#url = url.replace(/\/+$/, '');
  }

  /** What the master says of a driver: its answer to anybody who asks. */
  link(submissionId: string): string {
    return `${this.#url}/v1/submissions/status/${encodeURIComponent(submissionId)}`;
  }

  /** One more driver; the master does not know one submission from another. Answers what it calls it. */
  async create({ script, args, pythonFiles, properties }: DriverRequest, signal: AbortSignal): Promise<string> {
    const remote = script.includes('://');
    const { submissionId, message = '' } = await this.#call('POST', 'create', signal, {
      action: 'CreateSubmissionRequest',
      clientSparkVersion: CLIENT_VERSION,
      appResource: remote ? encodedUri(script) : '',
      // Through SparkSubmit, which tutorials name here, a Python application would run in the driver alone (`local[*]`):
      // it does not see the master that the server adds to the properties.
      mainClass: 'org.apache.spark.deploy.PythonRunner',
      // A worker copies the resource for its driver, and puts the copy's path in the place of that word.
      appArgs: [remote ? '{{USER_JAR}}' : script, pythonFiles, ...args],
      environmentVariables: { SPARK_ENV_LOADED: '1' },
      sparkProperties: properties,
    });
    if (submissionId !== undefined) return submissionId;
    throw new EngineError('ValidationError', `Spark's master took no driver: ${told(message)}`);
  }

  /** Undefined when the master does not know the driver, or no more. */
  async status(submissionId: string, signal: AbortSignal): Promise<DriverStatus | undefined> {
    const path = `status/${encodeURIComponent(submissionId)}`;
    const { driverState, message = '' } = await this.#call('GET', path, signal);
    return driverState === undefined ? undefined : { state: driverState, message: told(message) };
  }

  /** Asks for the end of a driver; harmless when it has ended or is not known. */
  async kill(submissionId: string, signal: AbortSignal): Promise<void> {
    await this.#call('POST', `kill/${encodeURIComponent(submissionId)}`, signal);
  }

  async #call(method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: unknown) {
    const { status, text } = await this.#exchange({
      method,
      url: `${this.#url}/v1/submissions/${path}`,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    const parsed = answer.safeParse(parse(text));
    const { message = '' } = parsed.data ?? {};
    if (status < 200 || status > 299) throw this.#refused(status, told(message === '' ? text : message), path);
    if (!parsed.success) {
      throw new EngineError(
        'UnsupportedError',
        `SPARK_REST_URL ${this.#url} is no Spark master's REST server: it answered something else to ${path}`,
      );
    }
    // A standby master, and one that is just recovering, knows of nothing: that is no answer.
    if (parsed.data.success === false && /not alive|can only .* in ALIVE state/i.test(message)) {
      throw new EngineError('UnavailableError', `Spark's master at ${this.#url} is not ready: ${told(message)}`);
    }
    return parsed.data;
  }

  async #exchange(request: HttpRequest): Promise<{ status: number; text: string }> {
    try {
      const { status, body } = await exchange(request, MAX_ANSWER_BYTES);
      return { status, text: body.toString() };
    } catch (error) {
      if (!(error instanceof NoAnswer || error instanceof AnswerTooLarge)) throw error;
      throw new EngineError('UnavailableError', `Spark's master at ${this.#url} is away: ${error.message}`, {
        cause: error,
      });
    }
  }

  #refused(status: number, message: string, path: string): EngineError {
    const what = `Spark's master answered ${status} to ${path.split('/')[0] ?? ''}: ${message}`;
    return new EngineError(refusalType(status), what);
  }
}

/** A worker reads it as a URI, where the object's key is what stands between the slashes once it is decoded. */
function encodedUri(uri: string): string {
  const [, root = '', path = ''] = /^(\w+:\/\/)(.*)$/s.exec(uri) ?? [];
  return root + path.split('/').map(encodeURIComponent).join('/');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function told(message: string): string {
  return message.replace(/\s+/g, ' ').trim().slice(0, TOLD_LENGTH);
}
