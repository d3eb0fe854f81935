/** A stand-in for the runs service: runs that stay where they are put, so that the routes can be tested alone. */
import { ServiceError } from '../../../src/errors.ts';
import type { RunsService } from '../../../src/api/app.ts';
import type { PipelineRegistry } from '../../../src/pipelines/registry.ts';
import type { ExecuteBody, SignalBody } from '../../../src/schemas/api-requests.ts';
import type { Execution, StartedRun } from '../../../src/schemas/api-run-answers.ts';

interface KnownRun {
  tenant: string;
  started: StartedRun;
  body: ExecuteBody;
  user: string;
}

export interface ReceivedSignal {
  workflowId: string;
  user: string;
  signal: SignalBody;
}

export class InMemoryRuns implements RunsService {
  readonly runs = new Map<string, KnownRun>();
  readonly signals: ReceivedSignal[] = [];
  starts = 0;
  /** Awaited by every start: a test makes it slow, or makes it fail. */
  beforeStart: () => Promise<void> = () => Promise.resolve();
  readonly #registry: PipelineRegistry;

  constructor(registry: PipelineRegistry) {
    this.#registry = registry;
  }

  start: RunsService['start'] = async (actor, idOrName, body, reservedId) => {
    const { pipelineId } = await this.#registry.get(actor, idOrName);
    await this.beforeStart();
    const known = this.runs.get(reservedId);
    if (known !== undefined) return known.started;
    this.starts += 1;
    const submittedAt = new Date().toISOString();
    const workflowId = `pipeline-${pipelineId}-${submittedAt}-${this.starts}`;
    const started: StartedRun = {
      executionId: reservedId,
      workflowId,
      runId: crypto.randomUUID(),
      pipelineId,
      status: 'STARTED',
      engine: body.engine_override ?? 'duckdb',
      submittedAt,
      statusUrl: `/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/status`,
    };
    this.runs.set(reservedId, { tenant: actor.tenant, started, body, user: actor.user });
    return started;
  };

  retry: RunsService['retry'] = async (actor, executionId, _body, reservedId) => {
    const { pipelineId } = await this.get(actor, executionId);
    return this.start(actor, pipelineId, { parameters: {} }, reservedId);
  };

  list: RunsService['list'] = async (actor, filters, { page, size }) => {
    const items = [...this.runs.values()]
      .filter(
        ({ tenant, started }) =>
          tenant === actor.tenant && (filters.pipeline ?? started.pipelineId) === started.pipelineId,
      )
      .map(execution);
    return Promise.resolve({ items: items.slice(page * size, (page + 1) * size), total: items.length });
  };

  get: RunsService['get'] = async (actor, executionId) => {
    const run = this.runs.get(executionId);
    if (run?.tenant !== actor.tenant) throw new ServiceError('RESOURCE_NOT_FOUND', 'There is no such execution');
    return Promise.resolve(execution(run));
  };

  steps: RunsService['steps'] = async (actor, executionId) => {
    await this.get(actor, executionId);
    return [{ step: 'extract:birds', type: 'extract_data', status: 'RUNNING', attempts: 1 }];
  };

  stepLogs: RunsService['stepLogs'] = async (actor, executionId) => {
    await this.get(actor, executionId);
    return [{ at: new Date().toISOString(), attempt: 1, level: 'info', message: 'reading' }];
  };

  quality: RunsService['quality'] = async (actor, executionId) => {
    await this.get(actor, executionId);
    return { executionId, score: 1, checks: [] };
  };

  status: RunsService['status'] = async (actor, workflowId) => {
    const { started } = this.#byWorkflow(actor.tenant, workflowId);
    return Promise.resolve({
      workflowId,
      runId: started.runId,
      status: 'RUNNING',
      startedAt: started.submittedAt,
      currentActivity: 'extract_data',
      progress: 0.25,
      activities: [{ name: 'extract_data', step: 'extract:birds', status: 'RUNNING', startedAt: started.submittedAt }],
      retries: 0,
      pendingSignals: [],
    });
  };

  signal: RunsService['signal'] = async (actor, workflowId, signal) => {
    this.#byWorkflow(actor.tenant, workflowId);
    this.signals.push({ workflowId, user: actor.user, signal });
    return Promise.resolve();
  };

  approvals: RunsService['approvals'] = () => Promise.resolve({ items: [], total: 0 });

  #byWorkflow(tenant: string, workflowId: string): KnownRun {
    for (const run of this.runs.values()) {
      if (run.tenant === tenant && run.started.workflowId === workflowId) return run;
    }
    throw new ServiceError('RESOURCE_NOT_FOUND', 'There is no such workflow');
  }
}

function execution({ started, body, user }: KnownRun): Execution {
  const { executionId, pipelineId, workflowId, engine, submittedAt } = started;
  return {
    executionId,
    pipelineId,
    pipelineName: 'birds',
    revision: 1,
    workflowId,
    status: 'RUNNING',
    engine,
    trigger: 'api',
    priority: body.priority ?? 'NORMAL',
    tags: [],
    parameters: body.parameters,
    progress: { totalTasks: 4, completedTasks: 1, currentTask: 'extract:birds', percentage: 25 },
    metrics: { rowsProcessed: 0, bytesProcessed: 0, elapsedMs: 0 },
    submittedAt,
    submittedBy: user,
    startedAt: submittedAt,
  };
}
