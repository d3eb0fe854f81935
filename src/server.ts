/** `npm start`: the API and all workers in one process, with embedded defaults for whatever is not configured. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunLoader } from './activities/load-run.ts';
import { createNotificationActivities } from './activities/notifications.ts';
import { createPipelineActivities } from './activities/pipeline-activities.ts';
import { createRunRecorder } from './activities/run-recorder.ts';
import { createSecretResolver } from './activities/secrets.ts';
import { createApp } from './api/app.ts';
import { readiness } from './api/readiness.ts';
import { type Config, loadConfig } from './config.ts';
import { DuckDbEngine } from './engines/duckdb/duckdb-engine.ts';
import { SqlCatalog } from './engines/iceberg/sql-catalog.ts';
import { Staging } from './engines/staging.ts';
import { messageOf } from './errors.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics } from './metrics/metrics.ts';
import { scrape } from './metrics/scrape.ts';
import { createLogNotifier } from './notify/notifier.ts';
import { BUILT_IN_ONLY } from './pipelines/engine-availability.ts';
import { PipelineRegistry } from './pipelines/registry.ts';
import { PipelineRuns } from './pipelines/pipeline-runs.ts';
import { Reconciler } from './pipelines/reconciler.ts';
import { createRunCloser } from './pipelines/run-closer.ts';
import { createRunLauncher } from './pipelines/run-launcher.ts';
import { StartupError } from './startup-error.ts';
import { openStore } from './store/store.ts';
import { connectTemporal } from './temporal/connection.ts';
import { lockDataDir } from './temporal/data-dir-lock.ts';
import { installTemporalRuntime } from './temporal/runtime.ts';
import { startTemporal } from './temporal/start-temporal.ts';
import { createTemporalCalls } from './temporal/temporal-calls.ts';
import { startWorkers } from './temporal/workers.ts';
import { slotFreedSignal } from './workflows/messages.ts';

/** Whatever still hangs after this is left to the end of the process; everything is made to survive that. */
const STOP_WITHIN_MS = 25_000;

/** Undoes what was started, the newest first; what cannot be undone keeps nothing else from it. */
class Cleanup {
  readonly #undo: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async run(logger: Logger): Promise<void> {
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (error) {
        logger.warn({ reason: messageOf(error) }, 'not stopped cleanly');
      }
    }
  }
}

async function serve(config: Config, logger: Logger, cleanup: Cleanup): Promise<{ failed: Promise<void> }> {
  if (config.open) {
    logger.warn('OPEN: anyone on this machine may do anything; set AUTH_JWKS_URL or AUTH_JWT_SECRET to require tokens');
  }
  const lock = await lockDataDir(config.dataDir);
  cleanup.add(() => lock.release());
  const { dataDir } = lock;
  const { sdkMetricsUrl } = await installTemporalRuntime(logger);
  const temporal = await startTemporal({
    ...config,
    dataDir,
    logger,
    report: (line) => {
      logger.info(line);
    },
  });
  cleanup.add(() => temporal.stop());
  const store = await openStore(
    config.databaseUrl === undefined ? { folder: join(dataDir, 'registry') } : { url: config.databaseUrl },
  );
  cleanup.add(() => store.close());
  const connection = await connectTemporal({ ...config.temporal, address: temporal.address }, logger);
  cleanup.add(() => connection.close());

  const metrics = createMetrics();
  const calls = createTemporalCalls(connection.connection, connection.client);
  if (!config.stagingUri.startsWith('file:')) {
    throw new StartupError(`STAGING_URI ${config.stagingUri}: this version stages in local folders only (file:///…)`);
  }
  const staging = new Staging(fileURLToPath(config.stagingUri));
  const duckdb = new DuckDbEngine({
    memoryLimitBytes: config.duckdb.memoryLimitBytes,
    threads: availableParallelism(),
    spillFolder: join(dataDir, 'spill'),
  });
  cleanup.add(() => duckdb.close());
  const catalog = new SqlCatalog({
    file: join(dataDir, 'iceberg', 'catalog.db'),
    name: 'matih',
    warehouse: config.iceberg.warehouse ?? join(dataDir, 'iceberg', 'warehouse'),
  });
  cleanup.add(() => catalog.close());
  const { fileRoots } = config;
  const roots = { roots: fileRoots, base: fileRoots === 'any' ? process.cwd() : (fileRoots[0] ?? process.cwd()) };

  /** Known once the API listens; nothing needs it before. */
  let url = config.http.publicUrl ?? '';

  const launcher = createRunLauncher(calls, store, metrics);
  const closer = createRunCloser(store, metrics);
  const loadRun = createRunLoader(store);
  const { heartbeatTimeoutMs, concurrency, taskQueues } = config.worker;
  const workers = await startWorkers({
    connection: connection.connection,
    namespace: config.temporal.namespace,
    taskQueues,
    concurrency,
    activities: {
      ...createPipelineActivities({
        store,
        staging,
        metrics,
        logger,
        loadRun,
        duckdb,
        catalog,
        roots,
        secrets: createSecretResolver({ folder: config.secrets.dir, variables: config.secrets.fromEnvironment }),
      }),
      ...createNotificationActivities({
        notifier: createLogNotifier(logger),
        store,
        loadRun,
        publicUrl: () => config.http.publicUrl ?? url,
      }),
    },
    logger,
    recorder: createRunRecorder({
      store,
      metrics,
      loadRun,
      staging,
      wakeRun: async (workflowId) => {
        await calls
          .call((client) => client.workflow.getHandle(workflowId).signal(slotFreedSignal))
          .catch(() => undefined);
      },
    }),
  });
  cleanup.add(async () => {
    workers.shutdown();
    await workers.finished;
  });
  const reconciler = new Reconciler({
    store,
    temporal: calls,
    launcher,
    closer,
    staging,
    runRetentionMs: config.runRetentionMs,
    logger,
  });
  reconciler.start();
  cleanup.add(() => reconciler.stop());

  const app = createApp({
    runs: new PipelineRuns({ store, temporal: calls, launcher, closer, heartbeatTimeoutMs }),
    registry: new PipelineRegistry(store, { engines: BUILT_IN_ONLY, roots }),
    store,
    auth: config.auth,
    metrics,
    logger,
    metricsText: async () => {
      // Without the database the gauge keeps its last value: the other metrics are wanted all the more.
      await store.gates.countOpen().then(
        (open) => {
          metrics.approvalsPending.set(open);
        },
        () => undefined,
      );
      return (await scrape(metrics.registry, sdkMetricsUrl)).body;
    },
    readiness: () => readiness({ store, temporal: calls }),
  });
  const http = createServer(app);
  url = await listen(http, config.http);
  cleanup.add(
    () =>
      new Promise((closed) => {
        http.close(closed);
        http.closeIdleConnections();
      }),
  );
  logger.info({ url, dataDir: resolve(dataDir), temporal: temporal.address, temporalUi: temporal.uiUrl }, 'ready');
  return { failed: workers.finished };
}

async function listen(http: Server, { host, port }: Config['http']): Promise<string> {
  await new Promise<void>((listening, failed) => {
    http.once('error', (error) => {
      failed(new StartupError(`PORT ${port} on HOST ${host} cannot be listened on: ${error.message}`));
    });
    http.listen(port, host, listening);
  });
  const address = http.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

let config: Config;
try {
  config = loadConfig();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

const logger = createLogger(config.logLevel);
const cleanup = new Cleanup();
let stopping: Promise<void> | undefined;

function stop(exitCode: number): Promise<void> {
  stopping ??= (async () => {
    setTimeout(() => {
      logger.error('not stopped in time; ending');
      process.exit(exitCode === 0 ? 1 : exitCode);
    }, STOP_WITHIN_MS).unref();
    await started.catch(() => undefined);
    await cleanup.run(logger);
    logger.info('stopped');
    process.exit(exitCode);
  })();
  return stopping;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    logger.info({ signal }, 'stopping');
    void stop(0);
  });
}

// A signal that comes while the service starts is obeyed once it is there to be stopped in order.
const started = serve(config, logger, cleanup);
try {
  const service = await started;
  service.failed.catch((error: unknown) => {
    logger.fatal({ reason: messageOf(error) }, 'a worker failed');
    void stop(1);
  });
} catch (error) {
  if (error instanceof StartupError) process.stderr.write(`${error.message}\n`);
  else logger.fatal({ err: error }, 'the service did not start');
  await stop(1);
}
