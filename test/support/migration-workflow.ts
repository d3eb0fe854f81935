/**
 * `SchemaMigrationWorkflow` on a real Temporal server, with its real activities and a real store in memory; the tables'
 * engines are stand-ins.
 */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import type { CheckDependencies } from '../../src/activities/check-migrated-table.ts';
import { createMigrationActivities } from '../../src/activities/migration-activities.ts';
import { createMigrationRecorder } from '../../src/activities/migration-recorder.ts';
import { createNotificationActivities } from '../../src/activities/notifications.ts';
import { createRunRecorder } from '../../src/activities/run-recorder.ts';
import { createRunLoader } from '../../src/activities/load-run.ts';
import { createLogger } from '../../src/logger.ts';
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts';
import type { Notifier } from '../../src/notify/notifier.ts';
import { Migrations } from '../../src/pipelines/migrations.ts';
import { createMigrationWaker, type MigrationWaker } from '../../src/pipelines/migration-waker.ts';
import type { MigrationAnswer } from '../../src/schemas/api-migrations.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { TemporalCalls } from '../../src/temporal/temporal-calls.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';
import { FakeTables } from './fake-tables.ts';
import type { TestTemporal } from './temporal.ts';

export const ACTOR = { tenant: 'default', user: 'local', roles: ['tenant_admin'], requestId: 'r' } as const;

/** Two Iceberg tables and one PostgreSQL table. */
export function threeTables(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const drop = [{ op: 'drop_column', column: 'a' }];
  return {
    name: 'three-tables',
    targets: [
      { type: 'iceberg', table: 'lake.one', changes: drop },
      { type: 'iceberg', table: 'lake.two', changes: drop },
      { type: 'postgres', connection: 'postgres://u:p@127.0.0.1/d', table: 'three', changes: drop },
    ],
    ...changes,
  };
}

export interface MigrationBench extends AsyncDisposable {
  client: Client;
  store: Store;
  temporal: TemporalCalls;
  metrics: Metrics;
  waker: MigrationWaker;
  migrations: Migrations;
  tables: FakeTables;
  /** What people were told. */
  told: Parameters<Notifier['send']>[0][];
  start(document?: Record<string, unknown>): Promise<string>;
  /** When the migration is as the test wants it. */
  until(migrationId: string, test: (migration: MigrationAnswer) => boolean): Promise<MigrationAnswer>;
  ended(migrationId: string): Promise<MigrationAnswer>;
}

let bundle: ReturnType<typeof bundleWorkflows> | undefined;

function quietly(): ReturnType<typeof bundleWorkflows> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  return bundleWorkflows(createLogger('error'));
}

export async function migrationBench(
  { address, namespace }: TestTemporal,
  options: { gateTimeoutMs?: number; heartbeatTimeoutMs?: number } = {},
): Promise<MigrationBench> {
  bundle ??= quietly();
  const workflowBundle = await bundle;
  const store = await openStore({ folder: 'memory://' });
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const temporal: TemporalCalls = { call: (ask) => ask(client) };
  const metrics = createMetrics();
  const logger = pino({ enabled: false });
  const tables = new FakeTables();
  const told: MigrationBench['told'] = [];
  const secrets = { resolve: (_: string, text: string) => Promise.resolve(text) };
  const migrators = { iceberg: tables.migrator, postgres: tables.migrator };
  // Without checks in the documents nothing of these is touched.
  const checking = {} as CheckDependencies;
  const notifier: Notifier = {
    send(notification) {
      told.push(notification);
      return Promise.resolve();
    },
  };
  const loadRun = createRunLoader(store);
  const activities = {
    ...createMigrationActivities({ store, metrics, logger, secrets, migrators, ...checking }),
    ...createNotificationActivities({ notifier, store, loadRun, publicUrl: () => 'http://service' }),
  };
  const staging = {} as Parameters<typeof createRunRecorder>[0]['staging'];
  const recorder = {
    ...createRunRecorder({ store, metrics, loadRun, staging, wakeRun: () => Promise.resolve() }),
    ...createMigrationRecorder({
      store,
      metrics,
      ...(options.gateTimeoutMs !== undefined && { gateTimeoutMs: options.gateTimeoutMs }),
    }),
  };
  const common = { connection, namespace };
  const workers = [
    await Worker.create({ ...common, taskQueue: 'pipeline-workers', workflowBundle, activities: recorder }),
    await Worker.create({
      ...common,
      taskQueue: 'maintenance',
      activities,
      maxHeartbeatThrottleInterval: '100ms',
      defaultHeartbeatThrottleInterval: '100ms',
    }),
    await Worker.create({ ...common, taskQueue: 'notify', activities }),
  ];
  const running = workers.map((worker) => worker.run());
  const waker = createMigrationWaker({
    store,
    temporal,
    metrics,
    heartbeatTimeoutMs: options.heartbeatTimeoutMs ?? 5_000,
  });
  const migrations = new Migrations({ store, temporal, waker });

  async function until(migrationId: string, test: (migration: MigrationAnswer) => boolean): Promise<MigrationAnswer> {
    for (let tries = 0; tries < 1200; tries += 1) {
      const seen = await migrations.get(ACTOR, migrationId);
      if (test(seen)) return seen;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`never reached: ${JSON.stringify(await migrations.get(ACTOR, migrationId))}`);
  }

  return {
    client,
    store,
    temporal,
    metrics,
    waker,
    migrations,
    tables,
    told,
    async start(document = threeTables()) {
      tables.reset();
      told.length = 0;
      return (await migrations.start(ACTOR, document, randomUUID())).migrationId;
    },
    until,
    async ended(migrationId) {
      // The record comes before the end of the workflow, of which a history tells.
      const ended = await until(migrationId, ({ status }) => status !== 'RUNNING');
      await client.workflow.result(ended.workflowId).catch(() => undefined);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await store.close();
    },
  };
}
