/** `run_dbt`: a dbt project's models and tests, by the `dbt` command on the worker's machine. */
import { pathToFileURL } from 'node:url';
import type { DbtEngine } from '../engines/dbt/dbt-engine.ts';
import type { DbtCounts } from '../engines/dbt/run-results.ts';
import { datasetAt } from '../engines/duckdb/dataset-at.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { jobPrefix } from '../engines/job-name.ts';
import { EngineError } from '../errors.ts';
import type { StepResult } from '../workflows/messages.ts';
import { pipelineContext } from './pipeline-context.ts';
import type { SecretResolver } from './secrets.ts';
import { stepActivity, type StepDependencies } from './step-activity.ts';
import { produced, transformationOf } from './step-parts.ts';

export interface DbtDependencies extends StepDependencies {
  /** Undefined when this worker found no `dbt` command. */
  dbt: DbtEngine | undefined;
  duckdb: DuckDbEngine;
  secrets: SecretResolver;
}

/** Beside the dataset that the project may have left at `output`. */
export interface DbtStepResult extends StepResult {
  models: DbtCounts;
  tests: DbtCounts;
}

export function createRunDbt({ dbt, duckdb, secrets, ...dependencies }: DbtDependencies) {
  return stepActivity<DbtStepResult>(dependencies, async (step) => {
    const { project, select, vars, profile } = transformationOf(step, 'dbt');
    if (dbt === undefined) throw new EngineError('UnavailableError', 'this worker found no dbt command (DBT_COMMAND)');
    if (profile === undefined) {
      throw new EngineError(
        'ValidationError',
        'profile: expected the output of a dbt profile, such as {type: postgres, …}',
      );
    }
    const { context, run } = step;
    const outputFolder = await step.newOutputFolder();
    const { models, tests, rows } = await duckdb.withLocalFiles(step.input.inputs, context.signal, async (inputs) => {
      const pipeline = await pipelineContext(step, pathToFileURL(outputFolder).href, inputs);
      const request = {
        project,
        select,
        vars: { ...vars, pipeline },
        profile,
        secretOf: (reference: string) => secrets.resolve(run.row.tenant, reference),
        lockName: jobPrefix(run.row.workflowId, step.input.step),
      };
      return dbt.build(request, context);
    });
    context.log('info', `models: ${told(models)}; tests: ${told(tests)}`);
    const output = await datasetAt(duckdb, outputFolder, context.signal);
    return { ...(rows !== undefined && { rows }), ...(output && produced(output)), models, tests };
  });
}

function told({ passed, failed, skipped }: DbtCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
