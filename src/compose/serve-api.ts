/** The HTTP API of a process. It is served last, so that no request finds the service half there. */
import { createApp } from '../api/app.ts';
import { readiness } from '../api/readiness.ts';
import { findDbt } from '../engines/dbt/find-dbt.ts';
import { engineAvailability } from '../pipelines/engine-availability.ts';
import { Backfills } from '../pipelines/backfills.ts';
import { Migrations } from '../pipelines/migrations.ts';
import { PipelineRuns } from '../pipelines/pipeline-runs.ts';
import { TableMaintenance } from '../pipelines/table-maintenance.ts';
import { sparkTablesMissing } from './open-spark.ts';
import { PipelineRegistry } from '../pipelines/registry.ts';
import type { Foundations } from './foundations.ts';
import { metricsText } from './metrics-text.ts';

/** Answers where it listens. */
export async function serveApi(foundations: Foundations): Promise<string> {
  const { config, logger, port, store, temporal, metrics, roots } = foundations;
  const dbt = await findDbt(config.dbt.command, config.dbt.searchPath);
  const engines = engineAvailability(config, { dbtFound: dbt !== undefined });
  const app = createApp({
    runs: new PipelineRuns({
      ...foundations,
      heartbeatTimeoutMs: config.worker.heartbeatTimeoutMs,
      sparkCompute: engines.sparkCompute,
    }),
    backfills: new Backfills(foundations),
    migrations: new Migrations({ store, temporal, waker: foundations.migrationWaker }),
    maintenance: new TableMaintenance({ ...foundations, sparkMissing: sparkTablesMissing(config) }),
    registry: new PipelineRegistry(store, { engines, roots }),
    store,
    auth: config.auth,
    metrics,
    logger,
    metricsText: () => metricsText(foundations),
    readiness: () => readiness({ store, temporal }),
  });
  port.serve(app);
  return port.url;
}
