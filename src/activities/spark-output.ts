import type { ComputeWork, SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import { EngineError } from '../errors.ts';
import type { StepResult } from '../workflows/messages.ts';
import { jobOutput, type OutputReaders } from './job-output.ts';
import { computeStepOf } from './spark-compute-step.ts';
import type { StepWork } from './step-activity.ts';
import { produced } from './step-parts.ts';

/** Work on Spark that leaves rows for the next step. */
export async function outputOnSpark(
  readers: OutputReaders,
  compute: SparkCompute,
  step: StepWork,
  describe: () => Promise<ComputeWork>,
): Promise<StepResult> {
  const { context } = step;
  const { output, url } = await compute.run(computeStepOf(step), describe, context);
  const left = await jobOutput(readers, output, context.signal);
  if (left === undefined) throw new EngineError('JobFailedError', 'the Spark job ended well and left no rows');
  return { ...produced(left), externalUrl: url };
}
