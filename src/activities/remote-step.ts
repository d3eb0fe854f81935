/**
 * A step whose work is a job in another system (spec section 2, "External jobs"). Told to end, its activity only stops
 * waiting: the job is left to whoever goes on, unless the workflow says that nobody does (`workflows/stop-remote-job.ts`).
 */
import type { StepInput, StepResult } from '../workflows/messages.ts';
import { attemptOf, stepActivity, type StepDependencies, type StepWork } from './step-activity.ts';

export interface RemoteStep<T extends StepResult> {
  /** Finds the step's job or submits it, and waits for its end. When `context.signal` aborts, the job goes on. */
  work: (step: StepWork) => Promise<T>;
  /** Ends every job of the step that still works. Doing it again, or when there is none, is harmless. */
  stop: (step: StepWork) => Promise<void>;
}

export function remoteStepActivity<T extends StepResult>(
  dependencies: StepDependencies,
  { work, stop }: RemoteStep<T>,
): (input: StepInput) => Promise<T> {
  const working = stepActivity(dependencies, work);
  return async (input) => {
    if (input.stop !== true) return working(input);
    // No record of the step is touched: what became of it is the workflow's to say.
    await attemptOf(dependencies, input, async ({ prepare }) => stop(await prepare()));
    return {} as T; // The workflow asks for no result.
  };
}
