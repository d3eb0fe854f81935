/** `DataBackfillWorkflow` on a real Temporal server and a real store; its partitions are stand-ins that only record. */
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBackfillRecorder } from '../../src/activities/backfill-recorder.ts';
import { createLogger } from '../../src/logger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';
import {
  BACKFILL_WORKFLOW,
  backfillChangedSignal,
  type BackfillInput,
  type BackfillResult,
  type PartitionInput,
} from '../../src/workflows/backfill-messages.ts';
import { testTemporal, type TestTemporal } from '../support/temporal.ts';

const DAY_MS = 86_400_000;

let server: TestTemporal;
let store: Store;
let connection: NativeConnection;
let client: Client;
let workers: Worker[];
let running: Promise<void>[];
const processed: PartitionInput[] = [];
let atWork = 0;
let mostAtWork = 0;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  [server, store] = await Promise.all([testTemporal(), openStore({ folder: 'memory://' })]);
  const { address, namespace } = server;
  connection = await NativeConnection.connect({ address });
  client = new Client({ connection, namespace });
  const workflowBundle = await bundleWorkflows(createLogger('error'));
  const recorder = createBackfillRecorder({ store, metrics: createMetrics() });
  const process_partition = async (input: PartitionInput) => {
    atWork += 1;
    mostAtWork = Math.max(mostAtWork, atWork);
    try {
      const begun = await store.partitions.begin(input);
      if (begun !== 'begun') throw new Error(`not to be begun: ${JSON.stringify(begun)}`);
      processed.push(input);
      await new Promise((resolve) => setTimeout(resolve, 25));
      await store.partitions.complete(input, { rows: 1, bytes: 1 });
      return { rows: 1 };
    } finally {
      atWork -= 1;
    }
  };
  workers = [
    await Worker.create({ connection, namespace, taskQueue: 'pipeline-workers', workflowBundle, activities: recorder }),
    await Worker.create({ connection, namespace, taskQueue: 'backfill', activities: { process_partition } }),
  ];
  running = workers.map((worker) => worker.run());
});
afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection.close();
  await store.close();
});

async function submit(backfillId: string, partitions: number): Promise<BackfillInput> {
  processed.length = 0;
  mostAtWork = 0;
  await store.backfills.insert({
    backfillId,
    tenant: 'default',
    pipelineId: backfillId,
    pipelineName: 'p',
    revision: 1,
    workflowId: `backfill-${backfillId}`,
    rangeStart: new Date(0),
    rangeEnd: new Date(partitions * DAY_MS),
    size: 'day',
    timezone: 'UTC',
    concurrency: 5,
    order: 'ascending',
    reprocess: 'none',
    onFailure: 'continue',
    parameters: {},
    partitions,
    requestId: 'r',
    submittedBy: 'local',
    submittedAt: new Date(),
  });
  const plan = { policies: {}, heartbeatTimeoutMs: 5000, priorityKey: 3, notifyOn: [] };
  return { backfillId, requestId: 'r', concurrency: 5, onFailure: 'continue', plan };
}

async function start(input: BackfillInput) {
  return client.workflow.signalWithStart(BACKFILL_WORKFLOW, {
    workflowId: `backfill-${input.backfillId}`,
    taskQueue: 'pipeline-workers',
    args: [input],
    signal: backfillChangedSignal,
  });
}

test('many partitions, when signals come all the while, are each processed once, over several short histories', async () => {
  const partitions = 1500;
  const handle = await start(await submit('many', partitions));
  const { signaledRunId } = handle;
  const telling = setInterval(() => void handle.signal(backfillChangedSignal).catch(() => undefined), 200);
  const result = (await handle.result()) as BackfillResult;
  clearInterval(telling);
  expect(result).toMatchObject({ status: 'COMPLETED', rows: partitions, counts: { COMPLETED: partitions } });
  expect(processed.map(({ position }) => position).sort((a, b) => a - b)).toEqual(
    Array.from({ length: partitions }, (_, position) => position),
  );
  expect(mostAtWork).toBeGreaterThan(1);
  expect(mostAtWork).toBeLessThanOrEqual(5);
  const first = await client.workflow.getHandle('backfill-many', signaledRunId).fetchHistory();
  const last = await client.workflow.getHandle('backfill-many').describe();
  expect(last.runId).not.toBe(signaledRunId);
  expect(first.events?.length).toBeLessThan(10_000);
  expect(first.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes).toBeTruthy();
}, 400_000);

test('a backfill, when it is paused before it begins and resumed, or cancelled, does what was wanted', async () => {
  const input = await submit('told', 20);
  await store.backfills.setControl('told', 'PAUSE');
  const handle = await start(input);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(processed).toEqual([]);
  await store.backfills.setControl('told', 'RUN');
  await handle.signal(backfillChangedSignal);
  expect(await handle.result()).toMatchObject({ status: 'COMPLETED', rows: 20 });

  const cancelled = await submit('cancelled', 20);
  await store.backfills.setControl('cancelled', 'CANCEL');
  const result = (await (await start(cancelled)).result()) as BackfillResult;
  expect(result).toMatchObject({ status: 'CANCELLED', counts: { CANCELLED: 20 }, rows: 0 });
  expect(processed).toEqual([]);
});
