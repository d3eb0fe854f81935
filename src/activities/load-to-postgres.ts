/** `load_to_postgres`: rows into a table, in one transaction with the load's row of the ledger. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { loadToPostgres, type PostgresLoaded } from '../engines/sinks/postgres-sink.ts';
import { loadActivity, type LoadDependencies } from './load-activity.ts';
import type { SecretResolver } from './secrets.ts';
import type { StepWork } from './step-activity.ts';
import { inputOf, intervalToReplace, loadNameOf, sinkOf } from './step-parts.ts';

export interface PostgresDependencies extends LoadDependencies {
  duckdb: DuckDbEngine;
  secrets: SecretResolver;
}

export function createLoadToPostgres(dependencies: PostgresDependencies) {
  return loadActivity(dependencies, (step) => loadPostgresSink(dependencies, step));
}

export async function loadPostgresSink(
  { duckdb, secrets }: Pick<PostgresDependencies, 'duckdb' | 'secrets'>,
  step: StepWork,
): Promise<PostgresLoaded> {
  const sink = sinkOf(step, 'postgres');
  const request = {
    input: inputOf(step, sink),
    connectionUrl: await secrets.resolve(step.run.row.tenant, sink.connection),
    table: sink.table,
    mode: sink.mode,
    mergeKeys: sink.merge_keys ?? [],
    loadName: loadNameOf(step),
    interval: intervalToReplace(step),
  };
  return loadToPostgres(duckdb, request, step.context);
}
