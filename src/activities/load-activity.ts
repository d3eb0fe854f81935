import { EngineError } from '../errors.ts';
import type { StepResult } from '../workflows/messages.ts';
import { stepActivity, type StepDependencies, type StepWork } from './step-activity.ts';

/** A step that writes to a sink: the same as any other, but that it does nothing behind a gate that nobody passed. */
export function loadActivity(
  dependencies: StepDependencies,
  load: (step: StepWork) => Promise<{ rows: number; bytes: number }>,
): (input: StepWork['input']) => Promise<StepResult> {
  return stepActivity(dependencies, loading(dependencies, load));
}

/** The work of such a step. */
export function loading(
  dependencies: StepDependencies,
  load: (step: StepWork) => Promise<{ rows: number; bytes: number; externalUrl?: string }>,
): (step: StepWork) => Promise<StepResult> {
  return async (step) => {
    await refuseBehindTheGate(dependencies, step);
    const { rows, bytes, externalUrl } = await load(step);
    return { rows, bytes, ...(externalUrl !== undefined && { externalUrl }) };
  };
}

/** The workflow does not come here without an approval; if it ever did, nothing would be written. */
async function refuseBehindTheGate({ store }: StepDependencies, { input }: StepWork): Promise<void> {
  const gate = await store.gates.find(input.executionId);
  if (gate === undefined) return;
  const answer = await store.gates.answerOf(input.executionId);
  if (answer?.kind !== 'approved') throw new EngineError('PermissionDeniedError', 'Nobody approved this load');
}
