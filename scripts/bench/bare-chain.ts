/** The bare thing that a pipeline's orchestration is measured against: the same activities in a row, nothing around them. */
import { proxyActivities } from '@temporalio/workflow';
import type { PipelineActivities } from '../../src/activities/pipeline-activities.ts';
import type { Dataset } from '../../src/engines/dataset.ts';

export interface BareChainInput {
  /** A run whose definition has the steps. */
  executionId: string;
  source: string;
  transformations: string[];
}

const common = { startToCloseTimeout: '1h', heartbeatTimeout: '15s' } as const;
const { extract_data: extractData } = proxyActivities<PipelineActivities>({ ...common, taskQueue: 'extract' });
const { run_sql: runSql } = proxyActivities<PipelineActivities>({ ...common, taskQueue: 'transform' });

/** Extracts the source, which is not measured: answers the reference that a chain starts from. */
export async function BareSource({ executionId, source }: BareChainInput): Promise<Dataset | undefined> {
  return (await extractData({ executionId, requestId: 'bench', step: `extract:${source}`, inputs: {} })).output;
}

export async function BareChain(input: BareChainInput, first: Dataset): Promise<void> {
  let before: { name: string; dataset: Dataset } | undefined;
  for (const name of input.transformations) {
    const inputs = { [input.source]: first, ...(before && { [before.name]: before.dataset }) };
    const { output } = await runSql({
      executionId: input.executionId,
      requestId: 'bench',
      step: `transform:${name}`,
      inputs,
    });
    if (output === undefined) throw new TypeError('a transformation left nothing');
    before = { name, dataset: output };
  }
}
