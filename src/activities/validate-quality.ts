/** `validate_quality`: the checks of a pipeline, and whether a person must say yes. The report stays in the store. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { runChecks } from '../engines/quality/run-checks.ts';
import type { QualityResult } from '../workflows/messages.ts';
import { stepActivity, type StepDependencies } from './step-activity.ts';

export function createValidateQuality(dependencies: StepDependencies & { duckdb: DuckDbEngine }) {
  const { duckdb, store, metrics } = dependencies;
  return stepActivity<QualityResult>(dependencies, async ({ input, run, context }) => {
    const { checks, min_score: minScore } = run.document.definition.quality_checks;
    const { parameters } = run;
    const report = await runChecks(duckdb, { checks, minScore, inputs: input.inputs, parameters }, context);
    await store.quality.save(input.executionId, report.score, report);
    metrics.qualityScore.set({ pipeline: metrics.pipelineLabel(run.document.name) }, report.score);
    return { score: report.score, needsApproval: report.needsApproval };
  });
}
