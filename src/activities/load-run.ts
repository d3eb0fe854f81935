/** A run as its activities need it: which pipeline at which revision, with its parameters put in. */
import { resolveDefinition } from '../pipelines/resolve-definition.ts';
import type { ParameterValue } from '../schemas/parameters.ts';
import type { PipelineDocument } from '../schemas/definition.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';

/** What activities need to know of a run, or of whatever they do the steps of a definition for. */
type RunFacts = Pick<
  RunRow,
  | 'executionId'
  | 'tenant'
  | 'pipelineId'
  | 'workflowId'
  | 'requestId'
  | 'rootExecutionId'
  | 'retryOf'
  | 'trigger'
  | 'engine'
  | 'intervalStart'
  | 'intervalEnd'
>;

export interface LoadedRun {
  row: RunFacts;
  document: PipelineDocument;
  parameters: Record<string, ParameterValue>;
  /** Where the run's data stands in staging. */
  at: { tenant: string; pipelineId: string; executionId: string };
}

export type RunLoader = (executionId: string) => Promise<LoadedRun>;

/** Runs of which a worker remembers the definition: one that is asked for again is most likely one of the newest. */
const REMEMBERED = 100;

/** Loads runs from the store; what it loads of one never changes, so each is loaded once. */
export function createRunLoader(store: Store): RunLoader {
  const remembered = new Map<string, Promise<LoadedRun>>();

  async function load(executionId: string): Promise<LoadedRun> {
    const row = await store.runs.get(executionId);
    const { document: raw } = await store.pipelines.revision(row.pipelineId, row.revision);
    const parameters = row.parameters as Record<string, ParameterValue>;
    const { tenant, pipelineId } = row;
    return { row, parameters, document: resolveDefinition(raw, parameters), at: { tenant, pipelineId, executionId } };
  }

  return (executionId) => {
    const known = remembered.get(executionId);
    if (known !== undefined) return known;
    const loading = load(executionId);
    remembered.set(executionId, loading);
    loading.catch(() => remembered.delete(executionId));
    const [oldest] = remembered.keys();
    if (remembered.size > REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    return loading;
  };
}
