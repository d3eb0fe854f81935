/** `compact_iceberg_table`: one step of a table's upkeep. Each finds what an attempt before it had committed. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { EngineContext } from '../engines/dataset.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { compactTable } from '../engines/iceberg/maintenance/compact-table.ts';
import { expireSnapshots } from '../engines/iceberg/maintenance/expire-snapshots.ts';
import { measureTable } from '../engines/iceberg/maintenance/measure-table.ts';
import { removeOrphanFiles } from '../engines/iceberg/maintenance/remove-orphan-files.ts';
import { jobPrefix } from '../engines/job-name.ts';
import type { SparkTableRewriter } from '../engines/spark/maintenance/spark-table-rewriter.ts';
import type { Staging } from '../engines/staging.ts';
import { EngineError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { Store } from '../store/store.ts';
import type { MaintenanceStepInput, MaintenanceStepRecord } from '../workflows/maintenance-messages.ts';
import { stagedMaintenance } from './staged-maintenance.ts';
import { heartbeating } from './step-activity.ts';

export interface MaintenanceDependencies {
  store: Store;
  metrics: Metrics;
  logger: Logger;
  staging: Staging;
  catalog: IcebergCatalog;
  duckdb: DuckDbEngine;
  /** Undefined while no Spark is configured that reaches the catalog. */
  rewriter: SparkTableRewriter | undefined;
}

export interface MaintenanceActivities {
  compact_iceberg_table(input: MaintenanceStepInput): Promise<void>;
}

type StepResult = NonNullable<MaintenanceStepRecord['result']>;

const ACTIVITY = 'compact_iceberg_table';

export function createMaintenanceActivities(dependencies: MaintenanceDependencies): MaintenanceActivities {
  const { store, metrics, logger } = dependencies;
  return {
    async compact_iceberg_table(input) {
      const { maintenanceId, requestId, step } = input;
      const row = await store.maintenance.findOfAny(maintenanceId);
      if (row === undefined) {
        throw ApplicationFailure.nonRetryable(`There is no maintenance ${maintenanceId}`, 'MaintenanceAbandoned');
      }
      const lines = logger.child({ requestId, maintenanceId, table: row.tableName, step });
      const contextOf = (progress: EngineContext['progress']): EngineContext => ({
        signal: Context.current().cancellationSignal,
        log: (level, message) => {
          lines[level](message);
        },
        progress,
      });
      if (input.stop === true) {
        await heartbeating((progress) => configured(dependencies).stop(jobOf(dependencies, row), contextOf(progress)));
        return;
      }
      const startedAtMs = performance.now();
      if (Context.current().info.attempt > 1) metrics.activityRetries.inc({ activity_type: ACTIVITY });
      let outcome = 'failed';
      try {
        await heartbeating(async (progress) => {
          await store.maintenance.beginStep(maintenanceId, step);
          const result = await work(dependencies, row, input, contextOf(progress));
          const finishedAt = new Date().toISOString();
          await store.maintenance.recordStep(maintenanceId, step, { status: 'COMPLETED', finishedAt, result });
        });
        outcome = 'completed';
      } catch (error) {
        if (error instanceof CancelledFailure) outcome = 'cancelled';
        else if (error instanceof ApplicationFailure) {
          const told = { type: error.type ?? error.name, message: error.message };
          await store.maintenance.recordStep(maintenanceId, step, { error: told }).catch(() => undefined);
        }
        throw error;
      } finally {
        const seconds = (performance.now() - startedAtMs) / 1000;
        metrics.activityExecutionSeconds.observe({ activity_type: ACTIVITY, outcome }, seconds);
      }
    },
  };
}

async function work(
  dependencies: MaintenanceDependencies,
  row: MaintenanceRow,
  { step }: MaintenanceStepInput,
  context: EngineContext,
): Promise<StepResult> {
  const { maintenanceId, tableName: table } = row;
  const { rewrite, expire, orphans } = row.plan;
  const at = { maintenanceId, table };
  switch (step) {
    case 'measure_before':
    case 'measure_after':
      return { ...(await measureTable(table, dependencies, context.signal)) };
    case 'rewrite': {
      if (rewrite === null) return {};
      if (row.engine === 'duckdb') return { ...(await compactTable({ ...at, ...rewrite }, dependencies, context)) };
      return { ...(await configured(dependencies).rewrite({ ...at, ...rewrite }, jobOf(dependencies, row), context)) };
    }
    case 'expire':
      return expire === null ? {} : { ...(await expireSnapshots({ ...at, ...expire }, dependencies, context)) };
    case 'orphans':
      return orphans === null ? {} : { ...(await removeOrphanFiles({ ...at, ...orphans }, dependencies, context)) };
  }
}

function jobOf({ staging, store }: MaintenanceDependencies, row: MaintenanceRow) {
  return {
    prefix: jobPrefix(row.workflowId, 'rewrite'),
    folderOf: (name: string) => staging.ofJob({ ...stagedMaintenance(row), step: 'rewrite' }, name),
    started: (externalUrl: string) => store.maintenance.recordStep(row.maintenanceId, 'rewrite', { externalUrl }),
  };
}

function configured({ rewriter }: MaintenanceDependencies): SparkTableRewriter {
  if (rewriter !== undefined) return rewriter;
  throw new EngineError('UnavailableError', 'this worker has no Spark that reaches the Iceberg catalog');
}
