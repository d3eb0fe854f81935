/**
 * Tells a backfill's workflow to look into the store, and starts it if it is not at work: the same call begins a backfill,
 * pauses it, and opens it again after its end. Done twice, the second is one look more.
 */
import type { Metrics } from '../metrics/metrics.ts';
import type { BackfillRow } from '../store/backfills.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { BACKFILL_WORKFLOW, backfillChangedSignal, type BackfillInput } from '../workflows/backfill-messages.ts';
import { definitionOver } from './plan-backfill.ts';
import { planRun } from './plan-run.ts';

export interface BackfillWaker {
  /** Fails with SERVICE_UNAVAILABLE when Temporal is away; the reconciler wakes those that nobody told. */
  wake(backfill: BackfillRow): Promise<void>;
}

const TASK_QUEUE = 'pipeline-workers';

export function createBackfillWaker(dependencies: {
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  heartbeatTimeoutMs: number;
}): BackfillWaker {
  const { store, temporal, metrics, heartbeatTimeoutMs } = dependencies;

  async function inputOf(backfill: BackfillRow): Promise<BackfillInput> {
    const { backfillId, requestId, concurrency, onFailure, timezone, submittedAt } = backfill;
    const { document: raw } = await store.pipelines.revision(backfill.pipelineId, backfill.revision);
    const range = { startMs: backfill.rangeStart.getTime(), endMs: backfill.rangeEnd.getTime() };
    const { definition } = definitionOver(raw, range, timezone, submittedAt);
    const { policies, notifyOn, priorityKey } = planRun(definition, {
      priority: definition.orchestration.priority,
      heartbeatTimeoutMs,
    });
    return {
      backfillId,
      requestId,
      concurrency,
      onFailure,
      plan: { policies, notifyOn, priorityKey, heartbeatTimeoutMs },
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
