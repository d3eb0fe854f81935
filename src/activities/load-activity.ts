import { EngineError } from '../errors.ts';
import type { StepResult } from '../workflows/messages.ts';
import { refuseRowsOfOthers, type RowsDependencies } from './rows-to-read.ts';
import { stepActivity, type StepDependencies, type StepWork } from './step-activity.ts';

export type LoadDependencies = StepDependencies & RowsDependencies;

/**
 * A step that writes to a sink: the same as any other, but that it does nothing behind a gate that nobody passed, and
 * nothing with rows that another run has loaded meanwhile.
 */
export function loadActivity(
  dependencies: LoadDependencies,
  load: (step: StepWork) => Promise<{ rows: number; bytes: number }>,
): (input: StepWork['input']) => Promise<StepResult> {
  return stepActivity(dependencies, loading(dependencies, load));
}

/** The work of such a step. */
export function loading(
  dependencies: LoadDependencies,
  load: (step: StepWork) => Promise<{ rows: number; bytes: number; externalUrl?: string }>,
): (step: StepWork) => Promise<StepResult> {
  return async (step) => {
    await refuseBehindTheGate(dependencies, step);
    await refuseRowsOfOthers(dependencies, step);
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
