/** `POST /v1/pipelines/{id}/execute` (spec section 4). */
import { randomInt } from 'node:crypto';
import type { Staging } from '../engines/staging.ts';
import { ServiceError } from '../errors.ts';
import type { PipelineDocument } from '../schemas/definition.ts';
import { documentParts } from '../schemas/document-parts.ts';
import type { ExecuteBody } from '../schemas/api-requests.ts';
import type { StartedRun } from '../schemas/api-run-answers.ts';
import type { PipelineDefinition } from '../schemas/definition.ts';
import { bindParameters, type ParameterValue } from '../schemas/parameters.ts';
import { plannedSteps } from '../store/planned-steps.ts';
import type { NewRun, RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { PipelineRunInput, RunPlan } from '../workflows/messages.ts';
import type { Actor } from './actor.ts';
import { checkSparkCompute } from './check-spark-compute.ts';
import { SPARK_COMPUTE_NOT_CONFIGURED } from './engine-availability.ts';
import { planRun } from './plan-run.ts';
import { resolveDefinition } from './resolve-definition.ts';
import type { RunLauncher } from './run-launcher.ts';

export interface StartDependencies {
  store: Store;
  launcher: RunLauncher;
  heartbeatTimeoutMs: number;
  /** Where a run's steps left their outputs. */
  staging: Pick<Staging, 'has'>;
  /** Whether runs can have their work done on a Spark cluster. */
  sparkCompute: boolean;
}

/** `reservedId` becomes the execution's id: the same request made again after a crash starts nothing new. */
export async function startRun(
  { store, launcher, heartbeatTimeoutMs, sparkCompute }: StartDependencies,
  actor: Actor,
  idOrName: string,
  body: ExecuteBody,
  reservedId: string,
): Promise<StartedRun> {
  const before = await store.runs.find(actor.tenant, reservedId);
  if (before !== undefined) return startedRun(before, (await launcher.deliver(before)).runId);

  const pipeline = await store.pipelines.find(actor.tenant, idOrName);
  if (pipeline === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no pipeline ${idOrName}`);
  const { pipelineId, revision, document: raw } = pipeline;
  const submittedAt = new Date();
  const parameters = parametersOf(raw, body, reservedId, submittedAt);
  const document = resolveDefinition(raw, parameters);
  const { orchestration } = document.definition;
  const engine = body.engine_override ?? orchestration.compute;
  if (engine === 'spark') {
    const path = body.engine_override === undefined ? 'definition.orchestration.compute' : 'engine_override';
    refuseOnSpark(document, path, sparkCompute);
  }
  if (body.interval !== undefined) refuseWatermarks(document.definition);
  const priority = body.priority ?? orchestration.priority;
  const plan = planRun(document.definition, { priority, heartbeatTimeoutMs, engine });
  const input: PipelineRunInput = {
    executionId: reservedId,
    rootExecutionId: reservedId,
    tenant: actor.tenant,
    pipelineId,
    pipelineName: pipeline.name,
    revision,
    requestId: actor.requestId,
    plan,
    reused: {},
  };
  const row = await recordRun(store, actor, {
    executionId: reservedId,
    rootExecutionId: reservedId,
    tenant: actor.tenant,
    pipelineId,
    pipelineName: pipeline.name,
    revision,
    tags: document.tags,
    workflowId: workflowIdOf(pipelineId, submittedAt),
    trigger: 'api',
    engine,
    priority,
    parameters,
    interval: body.interval && { start: new Date(body.interval.start), end: new Date(body.interval.end) },
    input,
    requestId: actor.requestId,
    submittedBy: actor.user,
    submittedAt,
    limit: limitOf(plan, orchestration.concurrency?.on_conflict),
  });
  return startedRun(row, (await launcher.launch(row)).runId);
}

/** What was registered for one engine may hold what the other one does not do. */
function refuseOnSpark(document: PipelineDocument, path: string, sparkCompute: boolean): void {
  const faults = sparkCompute
    ? checkSparkCompute(documentParts(document))
    : [{ path, message: SPARK_COMPUTE_NOT_CONFIGURED }];
  if (faults.length > 0) throw new ServiceError('VALIDATION_FAILED', 'The pipeline cannot run on Spark', faults);
}

/** Puts a new run, its steps and its audit entry into the store, at once; Temporal is told afterwards. */
export async function recordRun(store: Store, actor: Actor, run: NewRun): Promise<RunRow> {
  const { executionId, input } = run;
  const inserted = await store.transaction(async ({ runs, steps, audit }) => {
    const insertion = await runs.insert(run);
    if (insertion.outcome !== 'inserted') return insertion;
    await steps.plan(
      executionId,
      plannedSteps(input.plan).map(({ step, activity }) => {
        const result = input.reused[step];
        return { step, activity, reused: result && { from: run.retryOf ?? executionId, result } };
      }),
    );
    await audit.append({
      tenant: run.tenant,
      actor: actor.user,
      action: run.retryOf === undefined ? 'run.start' : 'run.retry',
      subject: executionId,
      details: { pipelineId: run.pipelineId, revision: run.revision, ...(run.retryOf && { retryOf: run.retryOf }) },
      requestId: actor.requestId,
    });
    return insertion;
  });
  if (inserted.outcome !== 'workflow-id-taken') return inserted.run;
  return recordRun(store, actor, { ...run, workflowId: workflowIdOf(run.pipelineId, run.submittedAt) });
}

export function limitOf(plan: RunPlan, onConflict: 'queue' | 'reject' = 'queue'): NewRun['limit'] {
  return plan.maxRuns === null ? undefined : { maxRuns: plan.maxRuns, onConflict };
}

export function startedRun(run: RunRow, runId: string): StartedRun {
  return {
    executionId: run.executionId,
    workflowId: run.workflowId,
    runId,
    pipelineId: run.pipelineId,
    status: 'STARTED',
    engine: run.engine,
    submittedAt: run.submittedAt.toISOString(),
    statusUrl: `/v1/pipelines/workflows/${encodeURIComponent(run.workflowId)}/status`,
  };
}

/**
 * Rows of one interval say nothing of how far a source was read: either the next incremental run would miss rows, or it
 * would load those of the interval a second time.
 */
function refuseWatermarks({ sources, partitioning }: PipelineDefinition): void {
  if (partitioning === undefined) return;
  for (const [name, source] of Object.entries(sources)) {
    if (source.type === 'jdbc' && source.watermark_column !== undefined) {
      throw new ServiceError('VALIDATION_FAILED', 'An incremental pipeline has no intervals', [
        { path: 'interval', message: `${name} is read on from its watermark: expected no interval` },
      ]);
    }
  }
}

/** `pipeline-{pipelineId}-{ISO time}`; what follows the milliseconds keeps starts of one millisecond apart. */
export function workflowIdOf(pipelineId: string, at: Date): string {
  const fraction = String(randomInt(1_000_000)).padStart(6, '0');
  return `pipeline-${pipelineId}-${at.toISOString().replace('Z', `${fraction}Z`)}`;
}

function parametersOf(
  raw: unknown,
  { parameters, interval }: ExecuteBody,
  executionId: string,
  submittedAt: Date,
): Record<string, ParameterValue> {
  const bound = bindParameters((raw as { parameters?: unknown }).parameters ?? {}, parameters, {
    run_id: executionId,
    scheduled_at: submittedAt.toISOString(),
    ...(interval && { interval_start: interval.start, interval_end: interval.end }),
  });
  if ('faults' in bound) throw new ServiceError('VALIDATION_FAILED', 'The parameters are not valid', bound.faults);
  return { ...bound.values };
}
