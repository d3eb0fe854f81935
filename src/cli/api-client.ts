/** The service's HTTP API as the command line uses it (spec section 4). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorAnswer, PipelineAnswer, PipelineSummary, PipelineWritten } from '../schemas/api-answers.ts';
import type { BackfillAnswer, BackfillPreview, StartedBackfill } from '../schemas/api-backfills.ts';
import type { MaintenanceAnswer, StartedMaintenance } from '../schemas/api-maintenance.ts';
import type {
  MigrationAnswer,
  MigrationPreview,
  MigrationSummary,
  StartedMigration,
} from '../schemas/api-migrations.ts';
import type {
  Execution,
  LogLine,
  QualityReportAnswer,
  StartedRun,
  Step,
  WorkflowStatus,
} from '../schemas/api-run-answers.ts';
import type { Fault } from '../schemas/fault.ts';

const ANSWER_WITHIN_MS = 30_000;
/** Calls that an idempotency key makes safe to repeat are, while the service is away for a moment. */
const KEYED_ATTEMPTS = 4;
const RETRY_WAIT_MS = 500;

/** What the service refused, or that it could not be reached; the message is for a person. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0 when there was no answer. */
  readonly status: number;
  readonly faults: readonly Fault[];

  constructor(status: number, message: string, faults: readonly Fault[] = [], options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.faults = faults;
  }
}

export interface DocumentText {
  type: 'application/json' | 'application/yaml';
  text: string;
}

export interface PageOf<T> {
  data: T[];
  pagination: { total: number };
}

interface Call {
  body?: DocumentText;
  /** Repeating the call with it starts nothing new. */
  idempotencyKey?: string;
}

export class ApiClient {
  readonly #base: string;
  readonly #token: string | undefined;

  /** @param options `url` of the service, without a path; `token` of the caller unless it runs open */
  constructor(options: { url: string; token?: string | undefined }) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#token = options.token;
  }

  validate(document: DocumentText): Promise<{ valid: boolean; errors: Fault[] }> {
    return this.#call('POST', '/v1/pipelines/validate', { body: document });
  }

  create(document: DocumentText): Promise<PipelineWritten> {
    return this.#call('POST', '/v1/pipelines', { body: document });
  }

  update(pipeline: string, document: DocumentText): Promise<PipelineWritten> {
    return this.#call('PUT', `/v1/pipelines/${encodeURIComponent(pipeline)}`, { body: document });
  }

  pipeline(idOrName: string): Promise<PipelineAnswer> {
    return this.#call('GET', `/v1/pipelines/${encodeURIComponent(idOrName)}`);
  }

  pipelines(page: number): Promise<PageOf<PipelineSummary>> {
    return this.#call('GET', `/v1/pipelines?size=100&page=${page}`);
  }

  execute(pipeline: string, body: object, idempotencyKey: string): Promise<StartedRun> {
    const path = `/v1/pipelines/${encodeURIComponent(pipeline)}/execute`;
    return this.#call('POST', path, { body: json(body), idempotencyKey });
  }

  executions(query: Record<string, string>): Promise<PageOf<Execution>> {
    return this.#call('GET', `/v1/pipelines/executions?${new URLSearchParams(query).toString()}`);
  }

  execution(executionId: string): Promise<Execution> {
    return this.#call('GET', executionPath(executionId));
  }

  async steps(executionId: string): Promise<Step[]> {
    return (await this.#call<{ data: Step[] }>('GET', `${executionPath(executionId)}/steps`)).data;
  }

  async logs(executionId: string, step: string): Promise<LogLine[]> {
    const path = `${executionPath(executionId)}/steps/${encodeURIComponent(step)}/logs`;
    return (await this.#call<{ data: LogLine[] }>('GET', path)).data;
  }

  quality(executionId: string): Promise<QualityReportAnswer> {
    return this.#call('GET', `${executionPath(executionId)}/quality`);
  }

  retry(executionId: string, body: object, idempotencyKey: string): Promise<StartedRun> {
    return this.#call('POST', `${executionPath(executionId)}/retry`, { body: json(body), idempotencyKey });
  }

  status(workflowId: string): Promise<WorkflowStatus> {
    return this.#call('GET', `${workflowPath(workflowId)}/status`);
  }

  signal(workflowId: string, name: string, data: object, idempotencyKey: string): Promise<unknown> {
    return this.#call('POST', `${workflowPath(workflowId)}/signal`, { body: json({ name, data }), idempotencyKey });
  }

  backfill(pipeline: string, body: object, idempotencyKey: string): Promise<StartedBackfill | BackfillPreview> {
    const path = `/v1/pipelines/${encodeURIComponent(pipeline)}/backfills`;
    return this.#call('POST', path, { body: json(body), idempotencyKey });
  }

  /** @param cells of the grid to be answered; 0: none */
  backfillStatus(backfillId: string, cells = 0): Promise<BackfillAnswer> {
    return this.#call('GET', `/v1/backfills/${encodeURIComponent(backfillId)}?cells=${cells}`);
  }

  tellBackfill(backfillId: string, verb: string, idempotencyKey: string): Promise<unknown> {
    return this.#call('POST', `/v1/backfills/${encodeURIComponent(backfillId)}/${verb}`, { idempotencyKey });
  }

  migrate(document: DocumentText, idempotencyKey: string): Promise<StartedMigration> {
    return this.#call('POST', '/v1/migrations', { body: document, idempotencyKey });
  }

  previewMigration(document: DocumentText): Promise<MigrationPreview> {
    return this.#call('POST', '/v1/migrations?dryRun=true', { body: document });
  }

  migration(migrationId: string): Promise<MigrationAnswer> {
    return this.#call('GET', `/v1/migrations/${encodeURIComponent(migrationId)}`);
  }

  migrations(page: number): Promise<PageOf<MigrationSummary>> {
    return this.#call('GET', `/v1/migrations?size=100&page=${page}`);
  }

  retryMigration(migrationId: string, idempotencyKey: string): Promise<StartedMigration> {
    return this.#call('POST', `/v1/migrations/${encodeURIComponent(migrationId)}/retry`, { idempotencyKey });
  }

  compact(body: object, idempotencyKey: string): Promise<StartedMaintenance> {
    return this.#call('POST', '/v1/maintenance/compactions', { body: json(body), idempotencyKey });
  }

  maintenance(maintenanceId: string): Promise<MaintenanceAnswer> {
    return this.#call('GET', `/v1/maintenance/compactions/${encodeURIComponent(maintenanceId)}`);
  }

  async #call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const attempts = call.idempotencyKey === undefined ? 1 : KEYED_ATTEMPTS;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#callOnce<T>(method, path, call);
      } catch (error) {
        if (attempt >= attempts || !(error instanceof ApiError) || !mayPass(error)) throw error;
        await sleep(RETRY_WAIT_MS * attempt);
      }
    }
  }

  async #callOnce<T>(method: string, path: string, { body, idempotencyKey }: Call): Promise<T> {
    let response: Response;
    let text: string;
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
      text = await response.text();
    } catch (error) {
      throw new ApiError(0, this.#silence(error), [], { cause: error });
    }
    const answer = parseJson(text);
    if (response.ok && answer !== undefined) return answer as T;
    const { error } = (answer ?? {}) as Partial<ErrorAnswer>;
    const unknown = `${this.#base} answered ${response.status}, not as this service does: see PIPELINES_URL`;
    throw new ApiError(response.ok ? 0 : response.status, error?.message ?? unknown, error?.details);
  }

  /** Why there was no answer, and what to do about it. */
  #silence(error: unknown): string {
    if (!URL.canParse(this.#base)) {
      return `PIPELINES_URL ${this.#base}: expected the service's address, such as http://127.0.0.1:8092`;
    }
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return `The service at ${this.#base} did not answer within ${ANSWER_WITHIN_MS / 1000} s`;
    }
    return `No service answers at ${this.#base}: start one with "npm start", or set PIPELINES_URL`;
  }
}

/** Whether the same call may get another answer soon: the service stops or starts, or Temporal is away. */
function mayPass({ status, cause }: ApiError): boolean {
  if (status === 503) return true;
  const lost = cause instanceof TypeError && cause.cause instanceof Error && 'code' in cause.cause;
  return (
    status === 0 &&
    lost &&
    ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes(String((cause.cause as { code: unknown }).code))
  );
}

function executionPath(executionId: string): string {
  return `/v1/pipelines/executions/${encodeURIComponent(executionId)}`;
}

function workflowPath(workflowId: string): string {
  return `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}`;
}

function json(body: object): DocumentText {
  return { type: 'application/json', text: JSON.stringify(body) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
