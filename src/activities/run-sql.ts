/** `run_sql`: one SELECT over a step's inputs, in the embedded engine or on Spark. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { runSql } from '../engines/duckdb/run-sql.ts';
import { selectWork } from '../engines/spark/compute/select-rows.ts';
import type { OutputReaders } from './job-output.ts';
import { computedActivity, type ComputeDependencies } from './spark-compute-step.ts';
import { outputOnSpark } from './spark-output.ts';
import type { StepResult } from '../workflows/messages.ts';
import type { StepWork } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export function createRunSql(dependencies: ComputeDependencies & OutputReaders) {
  const { duckdb, s3 } = dependencies;
  return computedActivity(dependencies, {
    here: (step) => transformBySql(duckdb, step),
    onSpark(step, compute) {
      const { sql } = transformationOf(step, 'sql');
      const { input, run } = step;
      return outputOnSpark(dependencies, compute, step, () => selectWork(sql, run.parameters, input.inputs, s3));
    },
  });
}

/** In the embedded engine. */
export async function transformBySql(duckdb: DuckDbEngine, step: StepWork): Promise<StepResult> {
  const { sql } = transformationOf(step, 'sql');
  const { inputs } = step.input;
  const { parameters } = step.run;
  const outputFolder = await step.newOutputFolder();
  return produced(await runSql(duckdb, { sql, parameters, inputs, outputFolder }, step.context));
}
