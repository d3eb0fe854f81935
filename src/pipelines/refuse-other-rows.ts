/** Refuses retries by which the sinks of one run would hold different rows. */
import { ServiceError } from '../errors.ts';
import type { RunRow } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import type { Watermark } from '../workflows/messages.ts';
import type { StepResults } from './reusable-steps.ts';

/**
 * A load that has been committed is not committed again, whatever its input is by then; so the steps that its rows came
 * from must not be done anew, or the sinks of one run would hold different rows. Incremental sources may be: a retry
 * reads exactly those rows of them again (`rows-to-read.ts`, which also asks the sinks; here only the records count).
 */
export async function refuseOtherRows(
  store: Store,
  { rootExecutionId, pipelineId, input: { plan } }: RunRow,
  { done, reused, fromStep }: { done: StepResults; reused: StepResults; fromStep: string | undefined },
): Promise<void> {
  const changed = plan.loads.filter(({ step }) => done.has(step) && !reused.has(step) && step !== fromStep);
  if (changed.length === 0) return;
  const refusal = (why: string) =>
    new ServiceError(
      'CONFLICT',
      `${changed.map(({ step }) => step).join(', ')} has committed this run's rows, and ${why}`,
    );
  if (fromStep !== undefined && !/^extract(:|$)/.test(fromStep)) {
    throw refusal('the steps they came from would be done anew: retry without fromStep, or from a step after them');
  }

  const readAgain = plan.extractions.filter(({ step }) => !reused.has(step)).map(({ step }) => step);
  const watermarks = new Map<string, Watermark>();
  for (const { step } of plan.extractions) {
    const watermark = (await store.runs.extractedBefore(rootExecutionId, sourceNameOf(step)))?.watermark;
    if (watermark !== undefined) watermarks.set(step, watermark);
  }
  for (const step of readAgain) {
    const watermark = watermarks.get(step);
    if (watermark !== undefined && !(await isWhereItWas(store, pipelineId, watermark))) {
      throw refusal(`another run has read ${sourceNameOf(step)} further since. Execute the pipeline again`);
    }
  }
  const changing = readAgain.filter((step) => !watermarks.has(step)).map(sourceNameOf);
  if (readAgain.length > 0 && changing.length === 0) return;
  if (watermarks.size === 0) {
    throw refusal(
      fromStep === undefined
        ? 'what its steps left in staging is gone. Execute the pipeline again'
        : 'its sources would be read anew: retry without fromStep. To load other rows execute the pipeline again',
    );
  }
  if (fromStep !== undefined) return;
  const again = changing.length > 0 ? `${changing.join(', ')} would be read as it is now` : 'steps would be done anew';
  throw refusal(
    `what its steps left in staging is gone; ${again}. Retry with fromStep extract if that will do: the rows of the ` +
      'incremental sources stay the same, and what is committed stays as it is',
  );
}

function sourceNameOf(step: string): string {
  return step.slice('extract:'.length);
}

/** Whether no other run has moved the source's watermark since. */
export async function isWhereItWas(store: Store, pipelineId: string, { source, from }: Watermark): Promise<boolean> {
  return ((await store.watermarks.get(pipelineId, source))?.value ?? null) === from;
}
