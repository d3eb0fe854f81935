/**
 * Brings a recorded run to Temporal, once. The run stands in the store first, under the workflow id that makes a second
 * start impossible; whichever process dies between, the reconciler delivers the same start again.
 */
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { PIPELINE_WORKFLOW, type PipelineRunInput } from '../workflows/messages.ts';

export interface RunLauncher {
  /** Starts the run's workflow, or finds it started. Fails with SERVICE_UNAVAILABLE when Temporal is away. */
  deliver(run: RunRow): Promise<{ runId: string }>;
  /** The same for a run nobody has been told of yet: when it cannot be started now, it is as if it never was. */
  launch(run: RunRow): Promise<{ runId: string }>;
}

const TASK_QUEUE = 'pipeline-workers';

export function createRunLauncher(temporal: TemporalCalls, store: Store, metrics: Metrics): RunLauncher {
  async function deliver(run: RunRow): Promise<{ runId: string }> {
    const input = run.input;
    const runId = await temporal.call((client) => startOnce(client, run, input));
    await store.runs.markStarted(run.executionId, runId);
    return { runId };
  }

  async function startOnce(client: Client, run: RunRow, input: PipelineRunInput): Promise<string> {
    try {
      const handle = await client.workflow.start(PIPELINE_WORKFLOW, {
        workflowId: run.workflowId,
        taskQueue: TASK_QUEUE,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        // The workflow keeps its own deadline; the server's is for one that can no longer do so (spec section 2).
        // One that waits for a slot first has no such end: its deadline counts from the start of its work.
        ...(input.plan.maxRuns === null && { workflowExecutionTimeout: input.plan.deadlineMs + 3_600_000 }),
        priority: { priorityKey: input.plan.priorityKey },
        staticSummary: `${run.pipelineName} r${run.revision}`,
      });
      metrics.workflowStarted.inc({ workflow_type: PIPELINE_WORKFLOW });
      return handle.firstExecutionRunId;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const { runId } = await client.workflow.getHandle(run.workflowId).describe();
      return runId;
    }
  }

  return {
    deliver,
    async launch(run) {
      try {
        return await deliver(run);
      } catch (error) {
        // A workflow that was started after all finds no run and ends without an effect.
        const abandoned = await store.runs.abandon(run.executionId);
        if (abandoned) throw error;
        const started = await store.runs.get(run.executionId);
        if (started.runId === null) throw new ServiceError('SERVICE_UNAVAILABLE', 'Temporal is away', []);
        return { runId: started.runId };
      }
    },
  };
}
