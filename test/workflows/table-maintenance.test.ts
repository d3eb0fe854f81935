/** `TableMaintenanceWorkflow` on a real Temporal server and a real store; its steps are stand-ins that only record. */
import { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMaintenanceRecorder } from '../../src/activities/maintenance-recorder.ts';
import { LocalStaging } from '../../src/engines/local-staging.ts';
import { createLogger } from '../../src/logger.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { createMaintenanceLauncher } from '../../src/pipelines/maintenance-launcher.ts';
import { reconcileMaintenance } from '../../src/pipelines/reconcile-maintenance.ts';
import type { MaintenanceRow } from '../../src/store/maintenance-runs.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { createTemporalCalls } from '../../src/temporal/temporal-calls.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';
import { MAINTENANCE_STEPS, type MaintenanceStepInput } from '../../src/workflows/maintenance-messages.ts';
import { testTemporal } from '../support/temporal.ts';

let store: Store;
let connection: NativeConnection;
let client: Client;
let workers: Worker[];
let running: Promise<void>[];
const metrics = createMetrics();
const staging = new LocalStaging('/nowhere');
let parts: Parameters<typeof reconcileMaintenance>[0];
let begun: string[] = [];
let work: (input: MaintenanceStepInput) => Promise<void> = () => Promise.resolve();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const [server, opened] = await Promise.all([testTemporal(), openStore({ folder: 'memory://' })]);
  store = opened;
  const { address, namespace } = server;
  connection = await NativeConnection.connect({ address });
  client = new Client({ connection, namespace });
  const temporal = createTemporalCalls(connection, client);
  const maintenanceLauncher = createMaintenanceLauncher({ store, temporal, metrics, heartbeatTimeoutMs: 3000 });
  parts = { store, temporal, metrics, maintenanceLauncher };
  const compact_iceberg_table = async (input: MaintenanceStepInput): Promise<void> => {
    begun.push(input.stop === true ? `stop ${input.step}` : input.step);
    if (input.stop !== true) await work(input);
  };
  const common = { connection, namespace };
  const workflowBundle = await bundleWorkflows(createLogger('error'));
  const recorder = createMaintenanceRecorder({ store, metrics, staging });
  const activities = { compact_iceberg_table };
  workers = [
    await Worker.create({ ...common, taskQueue: 'pipeline-workers', workflowBundle, activities: recorder }),
    await Worker.create({ ...common, taskQueue: 'maintenance', activities }),
    await Worker.create({ ...common, taskQueue: 'control', activities }),
  ];
  running = workers.map((worker) => worker.run());
}, 60_000);
afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection.close();
  await store.close();
});
beforeEach(() => {
  begun = [];
  work = () => Promise.resolve();
});

async function submit(maintenanceId: string, engine: 'duckdb' | 'spark' = 'duckdb'): Promise<MaintenanceRow> {
  return store.maintenance.insert({
    maintenanceId,
    tenant: 'default',
    tableName: `lab.${maintenanceId}`,
    engine,
    plan: { rewrite: { targetFileSizeBytes: 1, minInputFiles: 2 }, expire: {}, orphans: null },
    workflowId: `maintenance-${maintenanceId}`,
    steps: MAINTENANCE_STEPS.map((step) => ({ step, status: 'PENDING' })),
    requestId: 'r',
    submittedBy: 'local',
    submittedAt: new Date(Date.now() - 10_000),
  });
}

const rowOf = async (id: string): Promise<MaintenanceRow | undefined> => store.maintenance.findOfAny(id);
const ended = (id: string) => client.workflow.getHandle(`maintenance-${id}`).result();
const failing = (step: string) => (input: MaintenanceStepInput) =>
  input.step === step
    ? Promise.reject(ApplicationFailure.nonRetryable(`${step} failed`, 'UnsupportedError'))
    : Promise.resolve();

test('upkeep, when nothing goes wrong, does its steps in order and is closed once', async () => {
  await parts.maintenanceLauncher.deliver(await submit('whole'));
  expect(await ended('whole')).toEqual({ status: 'COMPLETED' });
  expect(begun).toEqual([...MAINTENANCE_STEPS]);
  expect(await rowOf('whole')).toMatchObject({ status: 'COMPLETED', reason: null });
  expect(await store.maintenance.close('whole', { status: 'FAILED' })).toBeUndefined();
});

test.each(MAINTENANCE_STEPS)(
  'upkeep, when step %s fails, ends there, and ends what Spark may still do',
  async (step) => {
    work = failing(step);
    const id = `failing-${step.replace('_', '-')}`;
    await parts.maintenanceLauncher.deliver(await submit(id, 'spark'));
    await expect(ended(id)).rejects.toThrow();
    const done = MAINTENANCE_STEPS.slice(0, MAINTENANCE_STEPS.indexOf(step) + 1);
    expect(begun).toEqual([...done, 'stop rewrite']);
    expect(await rowOf(id)).toMatchObject({ status: 'FAILED', reason: `${step} failed` });
  },
);

test('upkeep, when it is cancelled midway, ends its job and is CANCELLED; cancelling twice is harmless', async () => {
  const { promise: atWork, resolve: works } = Promise.withResolvers<undefined>();
  work = async ({ step }) => {
    if (step !== 'rewrite') return;
    works(undefined);
    const beats = setInterval(() => {
      Context.current().heartbeat();
    }, 100);
    await Context.current().cancelled.finally(() => {
      clearInterval(beats);
    });
  };
  const row = await submit('cancelled', 'spark');
  await parts.maintenanceLauncher.deliver(row);
  await atWork;
  expect(await store.maintenance.requestCancel('cancelled')).toBe(true);
  await parts.maintenanceLauncher.cancel(row);
  await reconcileMaintenance(parts, new Date());
  await expect(ended('cancelled')).rejects.toThrow();
  expect(begun).toEqual(['measure_before', 'rewrite', 'stop rewrite']);
  expect(await rowOf('cancelled')).toMatchObject({ status: 'CANCELLED', reason: 'Cancelled' });
  await parts.maintenanceLauncher.cancel(row);
});

test('upkeep, when the worker of a step is lost more often than it may fail, goes on', async () => {
  let lost = 0;
  work = ({ step }) => {
    if (step !== 'expire' || lost++ >= 5) return Promise.resolve();
    return Promise.reject(ApplicationFailure.create({ type: 'WorkerShutdown', nextRetryDelay: '10ms' }));
  };
  await parts.maintenanceLauncher.deliver(await submit('lost'));
  expect(await ended('lost')).toEqual({ status: 'COMPLETED' });
  expect(begun.filter((step) => step === 'expire')).toHaveLength(6);
});

test('upkeep, when a crash came before Temporal was told, is started by the reconciler, once', async () => {
  await submit('forgotten');
  await Promise.all([reconcileMaintenance(parts, new Date()), reconcileMaintenance(parts, new Date())]);
  expect(await ended('forgotten')).toEqual({ status: 'COMPLETED' });
  expect(begun).toEqual([...MAINTENANCE_STEPS]);
});

test('upkeep, when its workflow was terminated, is closed, and its table is free again', async () => {
  work = () => new Promise((resolve) => setTimeout(resolve, 500));
  const row = await submit('terminated');
  await parts.maintenanceLauncher.deliver(row);
  await client.workflow.getHandle(row.workflowId).terminate();
  await reconcileMaintenance(parts, new Date());
  expect(await rowOf('terminated')).toMatchObject({ status: 'TERMINATED' });
  const again = { ...row, maintenanceId: 'terminated-2', workflowId: 'maintenance-terminated-2' };
  expect(await store.maintenance.insert(again)).toMatchObject({ status: 'RUNNING' });
});

test('a workflow, when its start was taken back, finds nothing to do and ends', async () => {
  const row = await submit('taken-back');
  expect(await store.maintenance.abandon('taken-back')).toBe(true);
  work = failing('measure_before');
  await client.workflow.start('TableMaintenanceWorkflow', {
    workflowId: row.workflowId,
    taskQueue: 'pipeline-workers',
    args: [
      {
        maintenanceId: 'taken-back',
        requestId: 'r',
        steps: ['measure_before'],
        remote: false,
        heartbeatTimeoutMs: 3000,
      },
    ],
  });
  await expect(ended('taken-back')).rejects.toThrow();
  expect(await rowOf('taken-back')).toBeUndefined();
});
