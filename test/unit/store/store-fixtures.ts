/** Pipelines and runs for the tests of the store: valid, and each with an id of its own. */
import { randomUUID } from 'node:crypto';
import type { NewPipeline, PipelineRow } from '../../../src/store/pipelines.ts';
import type { NewRun, RunRow } from '../../../src/store/runs.ts';
import type { Store } from '../../../src/store/store.ts';

export function someName(): string {
  return `p-${randomUUID()}`;
}

export function newPipeline(changes: Partial<NewPipeline> = {}): NewPipeline {
  const name = changes.name ?? someName();
  const document = {
    name,
    version: '1.0.0',
    description: 'Delays',
    definition: {
      sources: {
        zebra: { type: 'file', path: 'z.csv', format: 'csv' },
        ant: { type: 'file', path: 'a.csv', format: 'csv' },
      },
      sinks: { out: { type: 'file', from: 'zebra', path: 'out.csv', format: 'csv' } },
    },
  };
  return { tenant: 'default', name, version: '1.0.0', document, tags: ['flights'], actor: 'ada', ...changes };
}

export function newRun(pipeline: PipelineRow, changes: Partial<NewRun> = {}): NewRun {
  const executionId = changes.executionId ?? randomUUID();
  const workflowId = changes.workflowId ?? `pipeline-${executionId}`;
  const { tenant, pipelineId, name, revision, tags } = pipeline;
  const rootExecutionId = changes.rootExecutionId ?? executionId;
  return {
    executionId,
    tenant,
    pipelineId,
    pipelineName: name,
    revision,
    tags,
    workflowId,
    rootExecutionId,
    trigger: 'manual',
    engine: 'duckdb',
    priority: 'NORMAL',
    parameters: { month: '2001-01-01' },
    input: {
      executionId,
      rootExecutionId,
      tenant,
      pipelineId,
      pipelineName: name,
      revision,
      requestId: 'request',
      plan: {
        extractions: [],
        transformations: [],
        loads: [],
        policies: {},
        gate: { timeoutMs: 1000, remindAfterMs: [] },
        deadlineMs: 1000,
        heartbeatTimeoutMs: 1000,
        notifyOn: [],
        priorityKey: 3,
        maxRuns: null,
      },
      reused: {},
    },
    requestId: 'request',
    submittedBy: 'ada',
    submittedAt: new Date(),
    ...changes,
  };
}

/** A run that was submitted, of a pipeline of its own unless one is given. */
export async function submittedRun(
  store: Store,
  changes: Partial<NewRun> = {},
  pipeline?: PipelineRow,
): Promise<RunRow> {
  const of = pipeline ?? (await store.pipelines.create(newPipeline()));
  const insertion = await store.runs.insert(newRun(of, changes));
  if (insertion.outcome !== 'inserted') throw new Error(`not inserted: ${insertion.outcome}`);
  return insertion.run;
}
