/** The workers of a process, and the reconciler that finishes what crashed ones left. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createBackfillRecorder } from '../activities/backfill-recorder.ts';
import { createMaintenanceActivities } from '../activities/compact-iceberg-table.ts';
import { createMaintenanceRecorder } from '../activities/maintenance-recorder.ts';
import { createRunLoader } from '../activities/load-run.ts';
import { createMigrationActivities } from '../activities/migration-activities.ts';
import { createMigrationRecorder } from '../activities/migration-recorder.ts';
import { createNotificationActivities } from '../activities/notifications.ts';
import { createStepActivities } from '../activities/pipeline-activities.ts';
import { createPartitionActivities } from '../activities/process-partition.ts';
import { createRunRecorder } from '../activities/run-recorder.ts';
import { createSecretResolver } from '../activities/secrets.ts';
import { openAirflow } from './open-airflow.ts';
import { openDbt } from './open-dbt.ts';
import { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { createIcebergMigrator } from '../engines/migrations/iceberg-migrator.ts';
import { createPostgresMigrator } from '../engines/migrations/postgres-migrator.ts';
import { S3DatasetCopies } from '../engines/s3/s3-dataset-copies.ts';
import { EgressGuard } from '../engines/egress-guard.ts';
import { createLogNotifier } from '../notify/notifier.ts';
import { Reconciler } from '../pipelines/reconciler.ts';
import { startWorkers, type Workers } from '../temporal/workers.ts';
import { slotFreedSignal } from '../workflows/messages.ts';
import type { Cleanup } from './cleanup.ts';
import type { Foundations } from './foundations.ts';
import { openFlink } from './open-flink.ts';
import { openSpark, openSparkCompute, openSparkTableRewriter } from './open-spark.ts';
import { openIcebergCatalog } from './iceberg-catalog.ts';

/** @param publicUrl where people find the API; asked for when somebody is told of it */
export async function serveWorkers(
  foundations: Foundations,
  cleanup: Cleanup,
  publicUrl: () => string,
): Promise<Workers> {
  const { config, logger, dataDir, store, connection, temporal } = foundations;
  const duckdb = new DuckDbEngine({
    memoryLimitBytes: config.duckdb.memoryLimitBytes,
    threads: availableParallelism(),
    spillFolder: join(dataDir, 'spill'),
    ...(foundations.s3 && { copies: new S3DatasetCopies(foundations.s3) }),
  });
  cleanup.add(() => duckdb.close());
  const catalog = openIcebergCatalog(config, dataDir, foundations.s3);
  cleanup.add(() => catalog.close());

  const dbt = await openDbt(foundations);
  cleanup.add(() => dbt?.close());

  const spark = await openSpark(config.spark);
  const loadRun = createRunLoader(store);
  const secrets = createSecretResolver({ folder: config.secrets.dir, variables: config.secrets.fromEnvironment });
  const egress = new EgressGuard({ restricted: !config.open, allow: config.egressAllow });
  const engines = { ...foundations, duckdb, catalog, secrets, egress };
  const workers = await startWorkers({
    connection: connection.connection,
    namespace: config.temporal.namespace,
    taskQueues: config.worker.taskQueues,
    concurrency: config.worker.concurrency,
    activities: {
      ...createStepActivities({
        ...engines,
        loadRun,
        airflow: openAirflow(config.airflow),
        dbt,
        flink: openFlink(config.flink),
        spark,
        compute: openSparkCompute(config.spark, spark),
      }),
      ...createPartitionActivities(engines),
      ...createMigrationActivities({
        ...engines,
        migrators: { iceberg: createIcebergMigrator({ catalog, duckdb }), postgres: createPostgresMigrator() },
      }),
      ...createMaintenanceActivities({ ...engines, rewriter: openSparkTableRewriter(config, dataDir, spark) }),
      ...createNotificationActivities({ notifier: createLogNotifier(logger), store, loadRun, publicUrl }),
    },
    recorder: {
      ...createBackfillRecorder(foundations),
      ...createMigrationRecorder(foundations),
      ...createMaintenanceRecorder(foundations),
      ...createRunRecorder({
        ...foundations,
        loadRun,
        wakeRun: async (workflowId) => {
          const told = temporal.call((client) => client.workflow.getHandle(workflowId).signal(slotFreedSignal));
          await told.catch(() => undefined);
        },
      }),
    },
    logger,
  });
  cleanup.add(async () => {
    workers.shutdown();
    await workers.finished;
  });
  const reconciler = new Reconciler({ ...foundations, runRetentionMs: config.runRetentionMs });
  reconciler.start();
  cleanup.add(() => reconciler.stop());
  return workers;
}
