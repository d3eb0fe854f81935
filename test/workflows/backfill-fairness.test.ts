/**
 * Fresh runs and backfills beside each other, while each of them has more to do than there are slots for: three at a time
 * in each queue. The server, its queues and the workers' slots are real.
 */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { PIPELINE_WORKFLOW, type PipelineRunResult, type StepInput } from '../../src/workflows/messages.ts';
import { type BackfillBench, backfillBench } from '../support/backfill-bench.ts';
import { type Call, runInput } from '../support/pipeline-workflow.ts';
import { testTemporal } from '../support/temporal.ts';

const SLOTS = 3;
const output = { uri: 'file:///staging/x/', rows: 10, bytes: 100 };
const answer = { rows: 10, bytes: 100, output };
const calls: Call[] = [];

let bench: BackfillBench;
/** Whose steps wait until the test lets them go on. */
let held: RegExp | undefined;
let release = Promise.withResolvers<void>();

const step = async (id: string): Promise<typeof answer> => {
  if (held?.test(id) === true) await release.promise;
  return answer;
};

beforeAll(async () => {
  const doing = async (input: StepInput) => {
    calls.push({ activity: 'step', input });
    return step(input.executionId);
  };
  bench = await backfillBench(
    await testTemporal(),
    { extract_data: doing, trigger_airflow_dag: doing, run_sql: doing, load_to_iceberg: doing, write_file: doing },
    calls,
    { slots: SLOTS, partition: ({ backfillId }) => step(backfillId) },
  );
}, 60_000);
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  release = Promise.withResolvers();
  calls.length = 0;
});

/** As many as there are slots are at work. */
async function saturated(): Promise<void> {
  await vi.waitUntil(() => calls.length >= SLOTS, { timeout: 30_000 });
}

test.each(['remote', 'embedded'])(
  'a fresh run, when a backfill of a pipeline that is %s fills its queue, completes meanwhile',
  async (pipeline) => {
    held = /^filling/;
    const id = await bench.start(20, { concurrency: 20 }, `filling-${pipeline}`, pipeline);
    await saturated();
    const fresh = await recorded(`fresh-beside-${pipeline}`);
    expect((await fresh.result()) as PipelineRunResult).toMatchObject({ status: 'COMPLETED' });
    expect(await bench.get(id)).toMatchObject({ status: 'RUNNING', counts: { COMPLETED: 0 } });

    // Nor does another backfill wait for the end of the first: it takes its turn with what is left of it.
    const second = await bench.start(1, {}, `second-${pipeline}`, pipeline);
    release.resolve();
    expect(await bench.ended(second)).toMatchObject({ status: 'COMPLETED' });
    expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED', counts: { COMPLETED: 20 } });
  },
);

test.each(['remote', 'embedded'])(
  'a backfill of a pipeline that is %s, when fresh runs fill all the other queues, completes meanwhile',
  async (pipeline) => {
    held = /^busy/;
    const fresh = await Promise.all([0, 1, 2, 3, 4, 5].map((n) => recorded(`busy-${n}-${pipeline}`)));
    await saturated();
    const id = await bench.start(4, {}, `beside-${pipeline}`, pipeline);
    expect(await bench.ended(id)).toMatchObject({ status: 'COMPLETED', counts: { COMPLETED: 4 } });
    release.resolve();
    for (const run of fresh) expect(await run.result()).toMatchObject({ status: 'COMPLETED' });
  },
);

/** A fresh run that stands in the registry, as those of the API do. */
async function recorded(executionId: string) {
  const input = { ...runInput({ notifyOn: [] }), executionId, rootExecutionId: executionId };
  const { tenant, pipelineId, pipelineName, revision, requestId } = input;
  await bench.store.runs.insert({
    ...{ executionId, rootExecutionId: executionId, tenant, pipelineId, pipelineName, revision, requestId, input },
    ...{ tags: [], workflowId: executionId, trigger: 'api', engine: 'duckdb', priority: 'NORMAL', parameters: {} },
    submittedBy: 'jane',
    submittedAt: new Date(),
  });
  return bench.client.workflow.start(PIPELINE_WORKFLOW, {
    workflowId: executionId,
    taskQueue: 'pipeline-workers',
    args: [input],
  });
}
