/** (a) What orchestration costs: 40 one-row transformations in a chain, as a pipeline and as a bare workflow. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { ApiClient } from '../../src/cli/api-client.ts';
import type { Dataset } from '../../src/engines/dataset.ts';
import type { ServiceProcess } from '../service-process.ts';
import { judged } from './bar.ts';
import type { BareChainInput } from './bare-chain.ts';
import { median, medianRatio, seconds } from './statistics.ts';
import { timedRun } from './timed-run.ts';
import { type StartBenched, withService } from './with-service.ts';

const STEPS = 40;
const ROUNDS = 9;
const MOST_TIMES_BARE = 1.15;
const NAMESPACE = 'matih-pipelines';
const TASK_QUEUE = 'bench';

export function benchOrchestration(start: StartBenched, folder: string): Promise<string[]> {
  return withService(start, async (service) => {
    const source = join(folder, 'one-row.parquet');
    await writeOneRow(source);
    const api = new ApiClient({ url: service.url });
    const document = JSON.stringify(chain(source, folder));
    const { pipelineId } = await api.create({ type: 'application/json', text: document });
    return withBareWorker(service, async (client) => {
      const ours: number[] = [];
      const bare: number[] = [];
      // The first of each warms up what the others find warm.
      const { executionId } = await timedRun(api, client, pipelineId);
      const input: BareChainInput = { executionId, source: 'seed', transformations: names() };
      const first = (await client.workflow.execute('BareSource', started(input))) as Dataset;
      await runBare(client, input, first);
      for (let round = 0; round < ROUNDS; round += 1) {
        bare.push(await runBare(client, input, first));
        ours.push((await timedRun(api, client, pipelineId)).ms);
      }
      const ratio = judged({ value: medianRatio(ours, bare), most: MOST_TIMES_BARE, unit: 'x' });
      return [
        `${STEPS} transformations in a chain: ${ratio} of a bare workflow, ${seconds(median(ours))} against ${seconds(median(bare))}`,
      ];
    });
  });
}

/** A worker of this process for the bare workflow; its activities are the service's. */
async function withBareWorker(service: ServiceProcess, use: (client: Client) => Promise<string[]>): Promise<string[]> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address: service.temporalAddress });
  try {
    const workflowBundle = await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('bare-chain.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    });
    const worker = await Worker.create({ connection, namespace: NAMESPACE, taskQueue: TASK_QUEUE, workflowBundle });
    return await worker.runUntil(use(new Client({ connection, namespace: NAMESPACE })));
  } finally {
    await connection.close();
  }
}

function names(): string[] {
  return Array.from({ length: STEPS }, (_, index) => `t${index + 1}`);
}

function started(input: BareChainInput, ...more: unknown[]) {
  return { taskQueue: TASK_QUEUE, workflowId: `bench-${randomUUID()}`, args: [input, ...more] };
}

async function runBare(client: Client, input: BareChainInput, first: Dataset): Promise<number> {
  const startedAtMs = performance.now();
  await client.workflow.execute('BareChain', started(input, first));
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
