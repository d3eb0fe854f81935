/** Which steps of a run its retry takes over: those that are done, whose inputs it takes over too. */
import type { RunPlan, StepResult } from '../workflows/messages.ts';

/** Results by step. `gate` is among them only when the gate was passed, and stands for that alone. */
export type StepResults = ReadonlyMap<string, StepResult>;

/**
 * @param done what the earlier run has done
 * @param fromStep the first step to do again (`extract` means every source); undefined: only what is not done
 */
export function reusableSteps(plan: RunPlan, done: StepResults, fromStep: string | undefined): Map<string, StepResult> {
  const reused = new Map<string, StepResult>();
  const consider = (step: string, needs: readonly string[]): void => {
    const result = done.get(step);
    const again = step === fromStep || (fromStep === 'extract' && step.startsWith('extract:'));
    if (result !== undefined && !again && needs.every((needed) => reused.has(needed))) reused.set(step, result);
  };
  const producers = new Map(
    [...plan.extractions, ...plan.transformations].map(({ step }) => [step.slice(step.indexOf(':') + 1), step]),
  );
  const producersOf = (inputs: readonly string[]) => inputs.flatMap((name) => producers.get(name) ?? []);

  const extractions = plan.extractions.map(({ step }) => step);
  for (const step of extractions) consider(step, []);
  // A gate that is asked again is asked about a report of its own.
  if (done.has('gate') && fromStep !== 'gate') consider('quality', extractions);
  consider('gate', ['quality']);
  for (const { step, inputs } of plan.transformations) consider(step, ['gate', ...producersOf(inputs)]);
  for (const { step, inputs } of plan.loads) consider(step, ['gate', ...producersOf(inputs)]);
  return reused;
}
