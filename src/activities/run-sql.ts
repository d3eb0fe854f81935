/** `run_sql`: one SELECT over a step's inputs, in the embedded engine. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { runSql } from '../engines/duckdb/run-sql.ts';
import { stepActivity, type StepDependencies } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export function createRunSql(dependencies: StepDependencies & { duckdb: DuckDbEngine }) {
  return stepActivity(dependencies, async (step) => {
    const { sql } = transformationOf(step, 'sql');
    const { inputs } = step.input;
    const { parameters } = step.run;
    const outputFolder = await step.newOutputFolder();
    return produced(await runSql(dependencies.duckdb, { sql, parameters, inputs, outputFolder }, step.context));
  });
}
