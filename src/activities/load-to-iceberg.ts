/** `load_to_iceberg`: rows into a table, in one commit that carries the load's name. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { type IcebergLoadRequest, type IcebergLoadResult, loadToIceberg } from '../engines/iceberg/load-to-iceberg.ts';
import { sparkLoadWriter } from '../engines/spark/compute/write-load.ts';
import { loading, type LoadDependencies } from './load-activity.ts';
import { computedActivity, type ComputeDependencies, computeStepOf } from './spark-compute-step.ts';
import type { StepWork } from './step-activity.ts';
import { inputOf, intervalToReplace, loadNameOf, sinkOf } from './step-parts.ts';

export interface IcebergDependencies extends ComputeDependencies, LoadDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
}

export function createLoadToIceberg(dependencies: IcebergDependencies) {
  const { catalog, duckdb, s3 } = dependencies;
  return computedActivity(dependencies, {
    here: loading(dependencies, (step) => loadIcebergSink(dependencies, step)),
    onSpark: (work, compute) =>
      loading(dependencies, async (step) => {
        const { context } = step;
        let externalUrl: string | undefined;
        const writer = sparkLoadWriter({
          compute,
          step: computeStepOf(step),
          duckdb,
          s3,
          context,
          written: (url) => {
            externalUrl = url;
          },
        });
        const { rows, bytes } = await loadToIceberg(requestOf(step), { catalog, duckdb, writer }, context);
        return { rows, bytes, ...(externalUrl !== undefined && { externalUrl }) };
      })(work),
  });
}

/** In the embedded engine. */
export function loadIcebergSink(
  { catalog, duckdb }: Pick<IcebergDependencies, 'catalog' | 'duckdb'>,
  step: StepWork,
): Promise<IcebergLoadResult> {
  return loadToIceberg(requestOf(step), { catalog, duckdb }, step.context);
}

function requestOf(step: StepWork): IcebergLoadRequest {
  const sink = sinkOf(step, 'iceberg');
  return {
    loadName: loadNameOf(step),
    table: sink.table,
    mode: sink.mode,
    mergeKeys: sink.merge_keys ?? [],
    partitionBy: sink.partition_by,
    schemaEvolution: sink.schema_evolution,
    input: inputOf(step, sink),
    interval: intervalToReplace(step),
  };
}
