/** `load_to_iceberg`: rows into a table, in one commit that carries the load's name. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { loadToIceberg } from '../engines/iceberg/load-to-iceberg.ts';
import { loadActivity } from './load-activity.ts';
import type { StepDependencies } from './step-activity.ts';
import { inputOf, loadNameOf, sinkOf } from './step-parts.ts';

export interface IcebergDependencies extends StepDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
}

export function createLoadToIceberg(dependencies: IcebergDependencies) {
  return loadActivity(dependencies, (step) => {
    const sink = sinkOf(step, 'iceberg');
    return loadToIceberg(
      {
        loadName: loadNameOf(step),
        table: sink.table,
        mode: sink.mode,
        mergeKeys: sink.merge_keys ?? [],
        partitionBy: sink.partition_by,
        schemaEvolution: sink.schema_evolution,
        input: inputOf(step, sink),
      },
      dependencies,
      step.context,
    );
  });
}
