/**
 * Tells a backfill's workflow to look into the store, and starts it if it is not at work: the same call begins a backfill,
 * pauses it, and opens it again after its end. Done twice, the second is one look more.
 */
import type { Metrics } from '../metrics/metrics.ts';
import type { BackfillRow } from '../store/backfills.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { RunPlan } from '../workflows/messages.ts';
import { BACKFILL_WORKFLOW, backfillChangedSignal, type BackfillInput } from '../workflows/backfill-messages.ts';
import { definitionOver } from './plan-backfill.ts';
import { planRun } from './plan-run.ts';

export interface BackfillWaker {
  /** Fails with SERVICE_UNAVAILABLE when Temporal is away; the reconciler wakes those that nobody told. */
  wake(backfill: BackfillRow): Promise<void>;
}

const TASK_QUEUE = 'pipeline-workers';

/**
 * Backfills take turns in their queue, the more often the higher their pipeline's priority. Temporal's own priorities are
 * strict: one with more partitions than slots would let none of those below it begin until it ends.
 */
const FAIRNESS_WEIGHTS = { HIGH: 4, NORMAL: 2, LOW: 1 } as const;

export function createBackfillWaker(dependencies: {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  heartbeatTimeoutMs: number;
}): BackfillWaker {
  const { store, temporal, metrics, heartbeatTimeoutMs } = dependencies;

  async function inputOf(backfill: BackfillRow): Promise<BackfillInput> {
    const { backfillId, requestId, concurrency, onFailure } = backfill;
    const { document: raw } = await store.pipelines.revision(backfill.pipelineId, backfill.revision);
    const range = { startMs: backfill.rangeStart.getTime(), endMs: backfill.rangeEnd.getTime() };
    const { definition } = definitionOver(raw, range, backfill);
    const { priority, compute: engine } = definition.orchestration;
    const turns = { fairnessKey: backfillId, fairnessWeight: FAIRNESS_WEIGHTS[priority] };
    const plan = { ...planRun(definition, { priority: 'NORMAL', heartbeatTimeoutMs, engine }), ...turns };
    const { policies, notifyOn, priorityKey } = plan;
    return {
      backfillId,
      requestId,
      concurrency,
      onFailure,
      plan: { policies, notifyOn, priorityKey, ...turns, heartbeatTimeoutMs },
      ...(needsRuns(plan) && { runPlan: ofPartition(plan) }),
    };
  }

  return {
    async wake(backfill) {
      const input = await inputOf(backfill);
      const { signaledRunId } = await temporal.call((client) =>
        client.workflow.signalWithStart(BACKFILL_WORKFLOW, {
          workflowId: backfill.workflowId,
          taskQueue: TASK_QUEUE,
          args: [input],
          signal: backfillChangedSignal,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          priority: { priorityKey: input.plan.priorityKey },
          staticSummary: `backfill of ${backfill.pipelineName} r${backfill.revision}`,
        }),
      );
      if (backfill.runId === null) metrics.workflowStarted.inc({ workflow_type: BACKFILL_WORKFLOW });
      await store.backfills.markStarted(backfill.backfillId, signaledRunId);
    },
  };
}

/** What `process_partition` does by itself; everything else is done by a run of its own for each partition. */
const EMBEDDED = new Set(['extract_data', 'run_sql', 'load_to_iceberg', 'load_to_postgres', 'write_file']);

function needsRuns({ extractions, transformations, compute }: RunPlan): boolean {
  return compute !== undefined || [...extractions, ...transformations].some(({ activity }) => !EMBEDDED.has(activity));
}

/**
 * Its backfill limits how many work at a time and tells of the end of all; a queue of its own keeps its steps from taking
 * the place of those of other runs, and theirs from taking its.
 */
function ofPartition(plan: RunPlan): RunPlan {
  return { ...plan, notifyOn: [], maxRuns: null, unattended: true, taskQueue: 'backfill' };
}
