/** (a) What orchestration costs: 40 one-row transformations in a chain, as a pipeline and as a bare workflow. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { ApiClient } from '../../src/cli/api-client.ts';
import { followRun } from '../../src/cli/watch.ts';
import type { Dataset } from '../../src/engines/dataset.ts';
import type { ServiceProcess } from '../service-process.ts';
import type { BareChainInput } from './bare-chain.ts';
import { median, seconds } from './statistics.ts';

const STEPS = 40;
const ROUNDS = 5;
const NAMESPACE = 'matih-pipelines';
const TASK_QUEUE = 'bench';

export async function benchOrchestration(service: ServiceProcess, folder: string): Promise<string> {
  const source = join(folder, 'one-row.parquet');
  await writeOneRow(source);
  const api = new ApiClient({ url: service.url });
  const document = JSON.stringify(chain(source, folder));
  const { pipelineId } = await api.create({ type: 'application/json', text: document });

  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address: service.temporalAddress });
  const client = new Client({ connection, namespace: NAMESPACE });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('bare-chain.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  const worker = await Worker.create({ connection, namespace: NAMESPACE, taskQueue: TASK_QUEUE, workflowBundle });
  const ours: number[] = [];
  const bare: number[] = [];
  await worker.runUntil(async () => {
    // The first of each warms up what the others find warm.
    const executionId = (await runPipeline(api, client, pipelineId)).executionId;
    const input: BareChainInput = { executionId, source: 'seed', transformations: names() };
    const first = (await client.workflow.execute('BareSource', start(input))) as Dataset;
    await runBare(client, input, first);
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await runBare(client, input, first));
      ours.push((await runPipeline(api, client, pipelineId)).ms);
    }
  });
  await connection.close();
  const ratio = median(ours.map((ms, round) => ms / (bare[round] ?? ms)));
  return `${STEPS} transformations in a chain: ${ratio.toFixed(2)}x of a bare workflow (${seconds(median(ours))} against ${seconds(median(bare))}; bar 1.15x)`;
}

const names = () => Array.from({ length: STEPS }, (_, index) => `t${index + 1}`);
const start = (input: BareChainInput, ...more: unknown[]) => ({
  taskQueue: TASK_QUEUE,
  workflowId: `bench-${randomUUID()}`,
  args: [input, ...more],
});

/** Both are measured alike: from the call that starts the workflow to Temporal's word that it is done. */
async function runPipeline(api: ApiClient, client: Client, pipelineId: string) {
  const startedAtMs = performance.now();
  const { executionId, workflowId } = await api.execute(pipelineId, {}, randomUUID());
  await client.workflow.getHandle(workflowId).result();
  const ms = performance.now() - startedAtMs;
  const { status } = await followRun(api, workflowId, { untilGate: true, onChange: () => undefined });
  if (status !== 'COMPLETED') throw new Error(`the chain ended ${status}`);
  return { executionId, ms };
}

async function runBare(client: Client, input: BareChainInput, first: Dataset): Promise<number> {
  const startedAtMs = performance.now();
  await client.workflow.execute('BareChain', start(input, first));
  return performance.now() - startedAtMs;
}

function chain(source: string, folder: string) {
  const steps = names();
  return {
    name: 'bench-chain',
    version: '1',
    definition: {
      sources: { seed: { type: 'file', path: source, format: 'parquet' } },
      transformations: steps.map((name, index) => ({
        name,
        engine: 'sql',
        depends_on: index === 0 ? [] : [steps[index - 1]],
        sql: `select n + 1 as n from ${steps[index - 1] ?? 'seed'}`,
      })),
      sinks: { out: { type: 'file', from: steps.at(-1), path: join(folder, 'chain.parquet'), format: 'parquet' } },
    },
  };
}

async function writeOneRow(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`copy (select 1 as n) to '${path.replaceAll("'", "''")}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
}
