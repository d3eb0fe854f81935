import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { ApiClient } from '../../src/cli/api-client.ts';
import type { PipelineRunResult } from '../../src/workflows/messages.ts';

/**
 * Runs a pipeline: from the request that starts it to Temporal's word that its workflow is done, for which nobody has
 * to poll.
 *
 * @throws Error unless it COMPLETED
 */
export async function timedRun(
  api: ApiClient,
  client: Client,
  pipeline: string,
): Promise<{ executionId: string; ms: number }> {
  const startedAtMs = performance.now();
  const { executionId, workflowId } = await api.execute(pipeline, {}, randomUUID());
  const result = (await client.workflow.getHandle(workflowId).result()) as PipelineRunResult;
  const ms = performance.now() - startedAtMs;
  if (result.status !== 'COMPLETED') throw new Error(`${executionId} ended ${result.status}: ${result.reason ?? ''}`);
  return { executionId, ms };
}
