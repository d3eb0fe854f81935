/** `validate_quality`: the checks of a pipeline, and whether a person must say yes. The report stays in the store. */
import type { QualityReport } from '../engines/quality/quality-report.ts';
import { type ChecksRequest, runChecks, runChecksElsewhere } from '../engines/quality/run-checks.ts';
import { checksOnSpark } from '../engines/spark/compute/spark-checks.ts';
import type { QualityResult } from '../workflows/messages.ts';
import type { OutputReaders } from './job-output.ts';
import { computedActivity, type ComputeDependencies, computeStepOf } from './spark-compute-step.ts';
import type { StepWork } from './step-activity.ts';

export function createValidateQuality(dependencies: ComputeDependencies & OutputReaders) {
  const { duckdb, s3, store, metrics } = dependencies;

  async function keep({ input, run }: StepWork, report: QualityReport): Promise<QualityResult> {
    await store.quality.save(input.executionId, report.score, report);
    metrics.qualityScore.set({ pipeline: metrics.pipelineLabel(run.document.name) }, report.score);
    return { score: report.score, needsApproval: report.needsApproval };
  }

  return computedActivity<QualityResult>(dependencies, {
    async here(step) {
      return keep(step, await runChecks(duckdb, requestOf(step), step.context));
    },
    async onSpark(step, compute) {
      const { input, context } = step;
      const checking = checksOnSpark(compute, computeStepOf(step), { inputs: input.inputs, s3 }, context);
      const kept = await keep(step, await runChecksElsewhere(duckdb, requestOf(step), checking, context));
      const externalUrl = checking.url();
      return { ...kept, ...(externalUrl !== undefined && { externalUrl }) };
    },
  });
}

function requestOf({ input, run }: StepWork): ChecksRequest {
  const { checks, min_score: minScore } = run.document.definition.quality_checks;
  return { checks, minScore, inputs: input.inputs, parameters: run.parameters };
}
