/** The run of one partition, recorded before its workflow is started: as often as it is asked for, it is the same. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Metrics } from '../metrics/metrics.ts';
import { resolveDefinition } from '../pipelines/resolve-definition.ts';
import { partitionParameters, rootOfPartition } from '../schemas/partition-parameters.ts';
import type { BackfillRow } from '../store/backfills.ts';
import { plannedSteps } from '../store/planned-steps.ts';
import { BACKFILL_TRIGGER, type NewRun } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { PIPELINE_WORKFLOW_TYPE } from './run-recorder.ts';
import { toFailure } from './step-failure.ts';
import type { PartitionInput, PartitionRun } from '../workflows/backfill-messages.ts';
import type { RunPlan } from '../workflows/messages.ts';

/** Null when the backfill does not want the partition any more. */
export async function beginPartitionRun(
  { store, metrics }: { store: Store; metrics: Metrics },
  { plan, ...partition }: PartitionInput & { plan: RunPlan },
): Promise<PartitionRun | null> {
  const backfill = await store.backfills.get(partition.backfillId);
  const { document } = await store.pipelines.revision(backfill.pipelineId, backfill.revision);
  const run = orFinalFailure(() => runOfPartition(backfill, document, partition, plan));
  const { executionId } = run;
  const begun = await store.transaction(async ({ runs, steps, partitions }) => {
    if (!(await partitions.beginRun(partition, executionId))) return undefined;
    const { outcome } = await runs.insert(run);
    if (outcome === 'inserted') await steps.plan(executionId, plannedSteps(plan));
    return outcome;
  });
  if (begun === undefined) return null;
  if (begun === 'inserted') metrics.workflowStarted.inc({ workflow_type: PIPELINE_WORKFLOW_TYPE });
  const { plan: _plan, reused: _reused, ...identity } = run.input;
  return { workflowId: run.workflowId, run: identity };
}

/** What is wrong with a definition for this interval is so at every attempt: it fails the partition. */
function orFinalFailure<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw toFailure(error, Context.current().cancellationSignal);
  }
}

function runOfPartition(backfill: BackfillRow, raw: unknown, partition: PartitionInput, plan: RunPlan): NewRun {
  const { backfillId, tenant, pipelineId, pipelineName, revision, requestId, submittedBy, submittedAt } = backfill;
  const { round, position, startMs, endMs } = partition;
  const executionId = `${backfillId}-${round}-${position}`;
  const bound = partitionParameters(raw, {
    parameters: backfill.parameters,
    runId: executionId,
    submittedAt,
    interval: partition,
    timezone: backfill.timezone,
  });
  if ('faults' in bound) throw ApplicationFailure.nonRetryable('The parameters are not valid', 'ValidationError');
  const { tags, definition } = resolveDefinition(raw, bound.values);
  const rootExecutionId = rootOfPartition(backfill, partition);
  const run = { executionId, rootExecutionId, tenant, pipelineId, pipelineName, revision, requestId };
  return {
    ...run,
    tags,
    workflowId: `${backfill.workflowId}-${round}-${new Date(startMs).toISOString()}`,
    trigger: BACKFILL_TRIGGER,
    engine: plan.compute ?? 'duckdb',
    priority: definition.orchestration.priority,
    parameters: { ...bound.values },
    interval: { start: new Date(startMs), end: new Date(endMs) },
    input: { ...run, plan, reused: {} },
    submittedBy,
    submittedAt: new Date(),
  };
}
