/** `POST …/executions/{executionId}/retry` (spec section 4): a new run that takes over what an earlier one has done. */
import type { Staging } from '../engines/staging.ts';
import { ServiceError } from '../errors.ts';
import type { RetryBody } from '../schemas/api-requests.ts';
import type { StartedRun } from '../schemas/api-run-answers.ts';
import { plannedSteps } from '../store/planned-steps.ts';
import { BACKFILL_TRIGGER, type RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { PipelineRunInput, QualityResult, RunPlan, StepResult } from '../workflows/messages.ts';
import type { Actor } from './actor.ts';
import { isWhereItWas, refuseOtherRows } from './refuse-other-rows.ts';
import { reusableSteps } from './reusable-steps.ts';
import { limitOf, recordRun, type StartDependencies, startedRun, workflowIdOf } from './start-run.ts';

const BEFORE_THE_GATE = /^(extract(:.*)?|quality|gate)$/;

/** `reservedId` becomes the new execution's id: the same request made again after a crash starts nothing new. */
export async function retryRun(
  { store, launcher, staging }: StartDependencies,
  actor: Actor,
  executionId: string,
  { fromStep }: RetryBody,
  reservedId: string,
): Promise<StartedRun> {
  const before = await store.runs.find(actor.tenant, reservedId);
  if (before !== undefined) return startedRun(before, (await launcher.deliver(before)).runId);

  const earlier = await store.runs.find(actor.tenant, executionId);
  if (earlier === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no execution ${executionId}`);
  await refuseWhatNeedsNoRetry(store, earlier);

  const { plan } = earlier.input;
  const planned = plannedSteps(plan);
  if (fromStep !== undefined && fromStep !== 'extract' && !planned.some(({ step }) => step === fromStep)) {
    const expected = planned.map(({ step }) => step).join(', ');
    throw new ServiceError('VALIDATION_FAILED', 'The pipeline has no such step', [
      { path: 'fromStep', message: `expected extract or one of ${expected}` },
    ]);
  }
  const done = await doneBy(store, staging, earlier, plan);
  const refused = (await store.gates.find(executionId)) !== undefined && !done.has('gate');
  if (refused && fromStep !== undefined && !BEFORE_THE_GATE.test(fromStep)) {
    throw new ServiceError('CONFLICT', 'Nobody approved this run: retry it from extract or quality, to be asked again');
  }
  const reused = reusableSteps(plan, done, fromStep);
  await refuseOtherRows(store, earlier, { done, reused, fromStep });

  const submittedAt = new Date();
  const input: PipelineRunInput = {
    ...earlier.input,
    executionId: reservedId,
    requestId: actor.requestId,
    reused: Object.fromEntries(reused),
  };
  const { intervalStart, intervalEnd } = earlier;
  const row = await recordRun(store, actor, {
    executionId: reservedId,
    rootExecutionId: earlier.rootExecutionId,
    retryOf: executionId,
    tenant: earlier.tenant,
    pipelineId: earlier.pipelineId,
    pipelineName: earlier.pipelineName,
    revision: earlier.revision,
    tags: earlier.tags,
    workflowId: workflowIdOf(earlier.pipelineId, submittedAt),
    trigger: 'retry',
    engine: earlier.engine,
    priority: earlier.priority,
    parameters: earlier.parameters,
    interval: intervalStart && intervalEnd ? { start: intervalStart, end: intervalEnd } : undefined,
    input,
    requestId: actor.requestId,
    submittedBy: actor.user,
    submittedAt,
    limit: limitOf(plan),
  });
  return startedRun(row, (await launcher.launch(row)).runId);
}

async function refuseWhatNeedsNoRetry(store: Store, { status, trigger, rootExecutionId }: RunRow): Promise<void> {
  if (trigger === BACKFILL_TRIGGER) throw new ServiceError('CONFLICT', 'The run is of a partition: retry its backfill');
  if (status === 'RUNNING') throw new ServiceError('CONFLICT', 'The run is not closed: wait for its end, or cancel it');
  if (status === 'COMPLETED') throw new ServiceError('CONFLICT', 'The run has completed: execute the pipeline again');
  const completed = await store.runs.completedOfRoot(rootExecutionId);
  if (completed !== undefined)
    throw new ServiceError('CONFLICT', `The run was retried, and ${completed} has completed`);
}

/** What the earlier run did that is still there and still true. */
async function doneBy(
  store: Store,
  staging: Pick<Staging, 'has'>,
  earlier: RunRow,
  plan: RunPlan,
): Promise<Map<string, StepResult>> {
  const done = new Map<string, StepResult>();
  for (const { step, status, result } of await store.steps.list(earlier.executionId)) {
    if (status === 'COMPLETED' && result !== null && step !== 'gate' && step !== 'notify') {
      done.set(step, result);
    }
  }
  for (const { step } of [...plan.extractions, ...plan.transformations]) {
    const result = done.get(step);
    if (result !== undefined && !(await isStillTrue(store, staging, earlier, result))) done.delete(step);
  }
  const quality = done.get('quality') as QualityResult | undefined;
  const gate = await store.gates.answerOf(earlier.executionId);
  const inherited = 'gate' in earlier.input.reused;
  if (gate?.kind === 'approved' || inherited || quality?.needsApproval === false) done.set('gate', {});
  return done;
}

/** Whether an output is still in staging, and no other run has read the same rows of its source since. */
async function isStillTrue(
  store: Store,
  staging: Pick<Staging, 'has'>,
  earlier: RunRow,
  { output, watermark }: StepResult,
): Promise<boolean> {
  if (watermark !== undefined && !(await isWhereItWas(store, earlier.pipelineId, watermark))) return false;
  if (output === undefined) return true;
  return staging.has(output).catch(() => {
    throw new ServiceError('SERVICE_UNAVAILABLE', 'Staging does not answer, so nobody knows what the run left there');
  });
}
