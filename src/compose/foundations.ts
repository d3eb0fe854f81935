/** What every process of the service stands on: the store, Temporal, metrics, staging. */
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import type { Staging } from '../engines/staging.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { type BackfillWaker, createBackfillWaker } from '../pipelines/backfill-waker.ts';
import { createMigrationWaker, type MigrationWaker } from '../pipelines/migration-waker.ts';
import { createMaintenanceLauncher, type MaintenanceLauncher } from '../pipelines/maintenance-launcher.ts';
import { createRunCloser, type RunCloser } from '../pipelines/run-closer.ts';
import { createRunLauncher, type RunLauncher } from '../pipelines/run-launcher.ts';
import { StartupError } from '../startup-error.ts';
import { openStore, type Store } from '../store/store.ts';
import { connectTemporal, type TemporalConnection } from '../temporal/connection.ts';
import { lockDataDir } from '../temporal/data-dir-lock.ts';
import { installTemporalRuntime } from '../temporal/runtime.ts';
import { startTemporal } from '../temporal/start-temporal.ts';
import { createTemporalCalls, type TemporalCalls } from '../temporal/temporal-calls.ts';
import type { Cleanup } from './cleanup.ts';
import { connectS3 } from './connect-s3.ts';
import { openPort, type OpenPort, type PortAddress } from './open-port.ts';
import { openStaging } from './open-staging.ts';

export interface Foundations {
  config: Config;
  logger: Logger;
  /** Real path of the folder that this process owns. */
  dataDir: string;
  /** What this process is asked on; it says that it is starting until something is served there. */
  port: OpenPort;
  store: Store;
  connection: TemporalConnection;
  temporal: TemporalCalls;
  temporalAddress: string;
  temporalUi: string | undefined;
  sdkMetricsUrl: string;
  metrics: Metrics;
  staging: Staging;
  roots: FileRoots;
  /** Undefined while neither S3_ENDPOINT nor AWS_REGION is set. */
  s3: S3Access | undefined;
  launcher: RunLauncher;
  closer: RunCloser;
  waker: BackfillWaker;
  migrationWaker: MigrationWaker;
  maintenanceLauncher: MaintenanceLauncher;
}

/**
 * `alone`: this process is the whole service, and whatever is not configured is embedded in the DATA_DIR that it owns.
 * `shared`: it is one of several, which need a database and a Temporal server that all of them reach.
 */
export type Standing = 'alone' | 'shared';

export async function layFoundations(
  config: Config,
  { standing, address }: { standing: Standing; address: PortAddress },
  logger: Logger,
  cleanup: Cleanup,
): Promise<Foundations> {
  if (standing === 'shared') requireShared(config);
  if (config.open) {
    logger.warn('OPEN: anyone on this machine may do anything; set AUTH_JWKS_URL or AUTH_JWT_SECRET to require tokens');
  }
  const dataDir = standing === 'alone' ? await ownDataDir(config, cleanup) : await shareDataDir(config);
  // After the folder, whose owner most likely has the port, too; before whatever takes time.
  const port = await openPort(address, cleanup);
  const { sdkMetricsUrl } = await installTemporalRuntime(logger);
  const server = await startTemporal({
    ...config,
    dataDir,
    logger,
    report: (line) => {
      logger.info(line);
    },
  });
  cleanup.add(() => server.stop());
  const { databaseUrl } = config;
  const store = await openStore(
    databaseUrl === undefined ? { folder: join(dataDir, 'registry') } : { url: databaseUrl },
  );
  cleanup.add(() => store.close());
  const connection = await connectTemporal({ ...config.temporal, address: server.address }, logger);
  cleanup.add(() => connection.close());

  const metrics = createMetrics();
  const temporal = createTemporalCalls(connection.connection, connection.client);
  const { fileRoots } = config;
  const { heartbeatTimeoutMs } = config.worker;
  const s3 = await connectS3(config.s3, dataDir, cleanup);
  return {
    config,
    logger,
    dataDir,
    port,
    store,
    connection,
    temporal,
    temporalAddress: server.address,
    temporalUi: server.uiUrl,
    sdkMetricsUrl,
    metrics,
    staging: openStaging(config, s3),
    roots: { roots: fileRoots, base: firstFolder(fileRoots) ?? process.cwd() },
    s3,
    launcher: createRunLauncher(temporal, store, metrics),
    closer: createRunCloser(store, metrics),
    waker: createBackfillWaker({ store, temporal, metrics, heartbeatTimeoutMs }),
    migrationWaker: createMigrationWaker({ store, temporal, metrics, heartbeatTimeoutMs }),
    maintenanceLauncher: createMaintenanceLauncher({ store, temporal, metrics, heartbeatTimeoutMs }),
  };
}

/** Where relative paths start. */
function firstFolder(fileRoots: Config['fileRoots']): string | undefined {
  return fileRoots === 'any' ? undefined : fileRoots.find((root) => !isS3Uri(root));
}

async function ownDataDir({ dataDir }: Config, cleanup: Cleanup): Promise<string> {
  const lock = await lockDataDir(dataDir);
  cleanup.add(() => lock.release());
  return lock.dataDir;
}

/** Nothing in it that several processes may not use at a time: spill, staging, the table catalog. */
async function shareDataDir({ dataDir }: Config): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true });
    return await realpath(dataDir);
  } catch (error) {
    throw new StartupError(`DATA_DIR ${dataDir} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

function requireShared({ databaseUrl, temporal }: Config): void {
  const missing = [
    ...(databaseUrl === undefined ? ['DATABASE_URL: a PostgreSQL that all processes reach'] : []),
    ...(temporal.address === undefined ? ['TEMPORAL_ADDRESS: a Temporal server that all processes reach'] : []),
  ];
  if (missing.length === 0) return;
  const list = missing.map((line) => `  ${line}`).join('\n');
  throw new StartupError(
    `The API and the workers as separate processes need:\n${list}\nOr "npm start" runs both in one.`,
  );
}
