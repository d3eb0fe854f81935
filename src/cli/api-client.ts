/** The service's HTTP API as the command line uses it (spec section 4). */
import type {
  ErrorAnswer,
  Execution,
  LogLine,
  PipelineSummary,
  PipelineWritten,
  QualityReportAnswer,
  StartedRun,
  Step,
  WorkflowStatus,
} from '../schemas/api.ts';

const ANSWER_WITHIN_MS = 30_000;

/** What the service refused, or that it could not be reached; the message is for a person. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0 when nobody answered. */
  readonly status: number;
  readonly faults: readonly { path: string; message: string }[];

  constructor(status: number, message: string, faults: readonly { path: string; message: string }[] = []) {
    super(message);
    this.status = status;
    this.faults = faults;
  }
}

interface Body {
  type: 'application/json' | 'application/yaml';
  text: string;
}

export interface PageOf<T> {
  data: T[];
  pagination: { total: number };
}

export class ApiClient {
  readonly #base: string;
  readonly #token: string | undefined;

  constructor(options: { url: string; token?: string | undefined }) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#token = options.token;
  }

  validate(document: Body): Promise<{ valid: boolean; errors: { path: string; message: string }[] }> {
    return this.#call('POST', '/v1/pipelines/validate', document);
  }

  create(document: Body): Promise<PipelineWritten> {
    return this.#call('POST', '/v1/pipelines', document);
  }

  update(pipeline: string, document: Body): Promise<PipelineWritten> {
    return this.#call('PUT', `/v1/pipelines/${encodeURIComponent(pipeline)}`, document);
  }

  pipelines(page: number): Promise<PageOf<PipelineSummary>> {
    return this.#call('GET', `/v1/pipelines?size=100&page=${page}`);
  }

  /** `key` makes a repeated call start nothing new. */
  execute(pipeline: string, body: object, key: string): Promise<StartedRun> {
    return this.#call('POST', `/v1/pipelines/${encodeURIComponent(pipeline)}/execute`, json(body), key);
  }

  executions(query: Record<string, string>): Promise<PageOf<Execution>> {
    return this.#call('GET', `/v1/pipelines/executions?${new URLSearchParams(query).toString()}`);
  }

  execution(executionId: string): Promise<Execution> {
    return this.#call('GET', `/v1/pipelines/executions/${encodeURIComponent(executionId)}`);
  }

  async steps(executionId: string): Promise<Step[]> {
    const path = `/v1/pipelines/executions/${encodeURIComponent(executionId)}/steps`;
    return (await this.#call<{ data: Step[] }>('GET', path)).data;
  }

  async logs(executionId: string, step: string): Promise<LogLine[]> {
    const path = `/v1/pipelines/executions/${encodeURIComponent(executionId)}/steps/${encodeURIComponent(step)}/logs`;
    return (await this.#call<{ data: LogLine[] }>('GET', path)).data;
  }

  quality(executionId: string): Promise<QualityReportAnswer> {
    return this.#call('GET', `/v1/pipelines/executions/${encodeURIComponent(executionId)}/quality`);
  }

  retry(executionId: string, body: object, key: string): Promise<StartedRun> {
    return this.#call('POST', `/v1/pipelines/executions/${encodeURIComponent(executionId)}/retry`, json(body), key);
  }

  status(workflowId: string): Promise<WorkflowStatus> {
    return this.#call('GET', `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/status`);
  }

  signal(workflowId: string, name: string, data: object): Promise<unknown> {
    return this.#call('POST', `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/signal`, json({ name, data }));
  }

  async #call<T>(method: string, path: string, body?: Body, idempotencyKey?: string): Promise<T> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: {
          accept: 'application/json',
          ...(body && { 'content-type': body.type }),
          ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
          ...(idempotencyKey !== undefined && { 'x-idempotency-key': idempotencyKey }),
        },
        ...(body && { body: body.text }),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      throw new ApiError(0, `No service answers at ${this.#base}: start one with "npm start", or set PIPELINES_URL`);
    }
    const text = await response.text();
    const answer = parse(text);
    if (response.ok) return answer as T;
    const { error } = (answer ?? {}) as Partial<ErrorAnswer>;
    throw new ApiError(response.status, error?.message ?? `The service answered ${response.status}`, error?.details);
  }
}

function json(body: object): Body {
  return { type: 'application/json', text: JSON.stringify(body) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
