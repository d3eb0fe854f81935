/**
 * Backfills of a pipeline with a step in another system, on a real Temporal server, with the real registry and the real
 * records of the workflows; the activities of the runs are typed stand-ins.
 */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { type BackfillRecorder, createBackfillRecorder } from '../../src/activities/backfill-recorder.ts';
import { createRunLoader } from '../../src/activities/load-run.ts';
import type { PipelineActivities } from '../../src/activities/pipeline-activities.ts';
import { createRunRecorder } from '../../src/activities/run-recorder.ts';
import type { Staging } from '../../src/engines/staging.ts';
import { createLogger } from '../../src/logger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createBackfillWaker } from '../../src/pipelines/backfill-waker.ts';
import { Backfills } from '../../src/pipelines/backfills.ts';
import { type BackfillAnswer, backfillBody, type PartitionAnswer } from '../../src/schemas/api-backfills.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { RunRow } from '../../src/store/runs.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';
import type { PartitionInput } from '../../src/workflows/backfill-messages.ts';
import { dayOf } from './backfills.ts';
import { type Call, standInActivities } from './pipeline-workflow.ts';
import type { TestTemporal } from './temporal.ts';

const ACTOR = { tenant: 'default', user: 'jane', roles: ['operator'], requestId: 'r' };
const quick = { initial_interval: '20ms', max_interval: '50ms', max_attempts: 2 };

/** Days from a file, through a DAG, into a file of each day. */
const DOCUMENT = {
  name: 'remote',
  version: '1',
  definition: {
    sources: { days: { type: 'file', path: 'days.csv', format: 'csv' } },
    transformations: [{ name: 'dag', engine: 'airflow', dag_id: 'd' }],
    sinks: { out: { type: 'file', from: 'dag', path: 'out/${interval_start}.csv', format: 'csv' } },
    partitioning: { column: 'd', size: 'day', timezone: 'UTC' },
    orchestration: {
      concurrency: { max_runs: 1 },
      retry: { extract_data: quick, validate_quality: quick, trigger_airflow_dag: quick, write_file: quick },
      notifications: { on: ['quality_issue', 'failure', 'completion'] },
    },
  },
};

const QUEUES = ['extract', 'quality', 'transform', 'load', 'backfill', 'notify', 'control'];

export interface BackfillBench extends AsyncDisposable {
  client: Client;
  store: Store;
  recorder: BackfillRecorder;
  /** What the stand-ins were called with, by whichever backfill. */
  calls: Call[];
  backfills: Backfills;
  /** Of so many days of the pipeline `remote`, unless another one is named. */
  start(days: number, body?: object, backfillId?: string, pipeline?: string): Promise<string>;
  get(backfillId: string): Promise<BackfillAnswer>;
  partitions(backfillId: string): Promise<PartitionAnswer[]>;
  runs(backfillId: string): Promise<RunRow[]>;
  tell(backfillId: string, what: 'pause' | 'resume' | 'cancel' | 'retry'): Promise<void>;
  until(backfillId: string, test: (backfill: BackfillAnswer) => boolean): Promise<BackfillAnswer>;
  ended(backfillId: string): Promise<BackfillAnswer>;
  /** What a worker does that takes over from one that was killed: fails when the code would not take the same course. */
  replay(backfillId: string): Promise<void>;
}

export interface BenchOptions {
  /** Activities at a time, of each queue. */
  slots?: number;
  /** What `process_partition` does, for the pipeline `embedded`. */
  partition?: (input: PartitionInput) => Promise<unknown>;
}

export async function backfillBench(
  { address, namespace }: TestTemporal,
  activities: Partial<PipelineActivities>,
  calls: Call[] = [],
  { slots = 100, partition = () => Promise.resolve() }: BenchOptions = {},
): Promise<BackfillBench> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const [store, connection, workflowBundle] = await Promise.all([
    openStore({ folder: 'memory://' }),
    NativeConnection.connect({ address }),
    bundleWorkflows(createLogger('error')),
  ]);
  const client = new Client({ connection, namespace });
  const metrics = createMetrics();
  const { transformations: _none, ...embedded } = DOCUMENT.definition;
  const sinks = { out: { ...embedded.sinks.out, from: 'days' } };
  for (const document of [DOCUMENT, { ...DOCUMENT, name: 'embedded', definition: { ...embedded, sinks } }]) {
    const { name, version } = document;
    await store.pipelines.create({ tenant: ACTOR.tenant, name, version, document, tags: [], actor: ACTOR.user });
  }
  const recorder = createBackfillRecorder({ store, metrics });
  const processPartition = async (input: PartitionInput) => {
    calls.push({ activity: 'process_partition', input: input as unknown as Call['input'] });
    await store.partitions.begin(input);
    await partition(input);
    await store.partitions.complete(input, { rows: 10, bytes: 100 });
    return { rows: 10 };
  };
  const runRecorder = createRunRecorder({
    store,
    metrics,
    loadRun: createRunLoader(store),
    staging: { dropRun: () => Promise.resolve() } as unknown as Staging,
    wakeRun: () => Promise.resolve(),
  });
  const doing = { ...standInActivities(calls), ...activities };
  const common = { connection, namespace };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: 'pipeline-workers',
      workflowBundle,
      activities: { ...recorder, ...runRecorder },
    }),
    ...QUEUES.map((taskQueue) =>
      Worker.create({
        ...common,
        taskQueue,
        activities: { ...doing, process_partition: processPartition },
        maxHeartbeatThrottleInterval: '100ms',
        maxConcurrentActivityTaskExecutions: slots,
      }),
    ),
  ]);
  const running = workers.map((worker) => worker.run());
  const waker = createBackfillWaker({
    store,
    temporal: { call: (work) => work(client) },
    metrics,
    heartbeatTimeoutMs: 5000,
  });
  const backfills = new Backfills({ store, waker });

  const bench: BackfillBench = {
    client,
    store,
    recorder,
    calls,
    backfills,
    async start(days, body = {}, backfillId = randomUUID(), pipeline = 'remote') {
      const asked = backfillBody.parse({ start: dayOf(0), end: dayOf(days), reprocess: 'completed', ...body });
      await backfills.start(ACTOR, pipeline, asked, backfillId);
      return backfillId;
    },
    get: (backfillId) => backfills.get(ACTOR, backfillId),
    async partitions(backfillId) {
      return (await backfills.partitions(ACTOR, backfillId, { page: 0, size: 100 })).items;
    },
    async runs(backfillId) {
      const { items } = await store.runs.list(ACTOR.tenant, { trigger: 'backfill' }, { page: 0, size: 100 });
      return items.filter(({ workflowId }) => workflowId.startsWith(`backfill-${backfillId}-`));
    },
    tell: (backfillId, what) => backfills.tell(ACTOR, backfillId, what),
    async until(backfillId, test) {
      const deadlineMs = Date.now() + 60_000;
      for (;;) {
        const backfill = await bench.get(backfillId);
        if (test(backfill)) return backfill;
        if (Date.now() > deadlineMs) throw new Error(`never reached: ${JSON.stringify(backfill)}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async ended(backfillId) {
      const ended = await bench.until(backfillId, ({ status }) => status !== 'RUNNING');
      // Its last act is to tell people.
      const over = client.workflow.getHandle(`backfill-${backfillId}`).result();
      await over.catch(() => undefined);
      return ended;
    },
    async replay(backfillId) {
      for (const { workflowId } of [...(await bench.runs(backfillId)), { workflowId: `backfill-${backfillId}` }]) {
        const history = await client.workflow.getHandle(workflowId).fetchHistory();
        await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await store.close();
    },
  };
  return bench;
}
