/** Everything that is asked of runs, behind one door: starting, watching, answering, stopping, retrying them. */
import { ServiceError } from '../errors.ts';
import type { ExecuteBody, ExecutionFilters, RetryBody, SignalBody } from '../schemas/api-requests.ts';
import type {
  Execution,
  LogLine,
  PendingApproval,
  QualityReportAnswer,
  StartedRun,
  Step,
  WorkflowStatus,
} from '../schemas/api-run-answers.ts';
import type { Page, PageOf } from '../store/page.ts';
import type { RunRow } from '../store/runs.ts';
import type { Staging } from '../engines/staging.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { Actor } from './actor.ts';
import type { MigrationDocument } from '../schemas/migration.ts';
import { validatedTargets } from './migration-views.ts';
import { retryRun } from './retry-run.ts';
import type { RunCloser } from './run-closer.ts';
import type { RunLauncher } from './run-launcher.ts';
import { runStatus } from './run-status.ts';
import { executionView, qualityView, stepView } from './run-views.ts';
import { signalRun } from './signal-run.ts';
import { startRun } from './start-run.ts';

export interface PipelineRunsDependencies {
  store: Store;
  temporal: TemporalCalls;
  launcher: RunLauncher;
  closer: RunCloser;
  staging: Pick<Staging, 'has'>;
  heartbeatTimeoutMs: number;
  sparkCompute: boolean;
}

/** Of a run that was forgotten while its gate was read. */
const UNKNOWN = { pipelineId: '', pipelineName: '' };

export class PipelineRuns {
  readonly #dependencies: PipelineRunsDependencies;

  constructor(dependencies: PipelineRunsDependencies) {
    this.#dependencies = dependencies;
  }

  start(actor: Actor, pipeline: string, body: ExecuteBody, reservedId: string): Promise<StartedRun> {
    return startRun(this.#dependencies, actor, pipeline, body, reservedId);
  }

  retry(actor: Actor, executionId: string, body: RetryBody, reservedId: string): Promise<StartedRun> {
    return retryRun(this.#dependencies, actor, executionId, body, reservedId);
  }

  status(actor: Actor, workflowId: string): Promise<WorkflowStatus> {
    return runStatus(this.#dependencies, actor.tenant, workflowId);
  }

  signal(actor: Actor, workflowId: string, signal: SignalBody, reservedId: string): Promise<void> {
    return signalRun(this.#dependencies, actor, workflowId, signal, reservedId);
  }

  async list(actor: Actor, filters: ExecutionFilters, page: Page): Promise<PageOf<Execution>> {
    const { store } = this.#dependencies;
    const { items, total } = await store.runs.list(actor.tenant, filters, page);
    const steps = await store.steps.listOf(items.map(({ executionId }) => executionId));
    return { items: items.map((run) => executionView(run, steps.get(run.executionId) ?? [])), total };
  }

  async get(actor: Actor, executionId: string): Promise<Execution> {
    const run = await this.#run(actor, executionId);
    return executionView(run, await this.#dependencies.store.steps.list(executionId));
  }

  async steps(actor: Actor, executionId: string): Promise<Step[]> {
    await this.#run(actor, executionId);
    return (await this.#dependencies.store.steps.list(executionId)).map(stepView);
  }

  async stepLogs(actor: Actor, executionId: string, step: string): Promise<LogLine[]> {
    const steps = await this.steps(actor, executionId);
    if (!steps.some((known) => known.step === step)) {
      throw new ServiceError('RESOURCE_NOT_FOUND', `The execution has no step ${step}`);
    }
    const lines = await this.#dependencies.store.logs.list(executionId, step);
    return lines.map(({ at, attempt, level, message }) => ({
      at: at.toISOString(),
      attempt,
      level: level,
      message,
    }));
  }

  /** The report of the run, or of the earlier run whose quality step it took over. */
  async quality(actor: Actor, executionId: string): Promise<QualityReportAnswer> {
    const { store } = this.#dependencies;
    let run: RunRow | undefined = await this.#run(actor, executionId);
    while (run !== undefined) {
      const found = await store.quality.find(run.executionId);
      if (found !== undefined) return qualityView(executionId, found.report);
      run = run.retryOf === null ? undefined : await store.runs.find(actor.tenant, run.retryOf);
    }
    throw new ServiceError('RESOURCE_NOT_FOUND', 'There is no quality report yet');
  }

  async approvals(actor: Actor, page: Page): Promise<PageOf<PendingApproval>> {
    const { store } = this.#dependencies;
    const { items, total } = await store.gates.listOpen(actor.tenant, page);
    const approvals = items.map(async (waiting): Promise<PendingApproval> => {
      const { executionId, workflowId, openedAt, deadlineAt, approvers, run, report, migration } = waiting;
      const gate = {
        workflowId,
        openedAt: openedAt.toISOString(),
        deadlineAt: deadlineAt.toISOString(),
        approvers,
      };
      if (migration === null)
        return { executionId, ...gate, ...(run ?? UNKNOWN), quality: qualityView(executionId, report) };
      const { migrationId, name: migrationName, document } = migration;
      const validation = validatedTargets(
        await store.migrationSteps.list(migrationId),
        document as unknown as MigrationDocument,
      );
      return { migrationId, migrationName, ...gate, validation };
    });
    return { items: await Promise.all(approvals), total };
  }

  async #run(actor: Actor, executionId: string): Promise<RunRow> {
    const run = await this.#dependencies.store.runs.find(actor.tenant, executionId);
    if (run === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no execution ${executionId}`);
    return run;
  }
}
