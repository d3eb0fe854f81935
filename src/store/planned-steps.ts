import type { RunPlan } from '../workflows/messages.ts';

/** Steps of a plan in the order in which they are shown. */
export function plannedSteps(plan: RunPlan): { step: string; activity: string }[] {
  return [
    ...plan.extractions,
    { step: 'quality', activity: 'validate_quality' },
    { step: 'gate', activity: 'wait_for_approval' },
    ...plan.transformations,
    ...plan.loads,
    { step: 'notify', activity: 'notify_pipeline_completion' },
  ].map(({ step, activity }) => ({ step, activity }));
}
