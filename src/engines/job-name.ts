import { createHash } from 'node:crypto';

/**
 * What a step's job is called in another system, known before it is submitted (spec section 2, "External jobs"):
 * `ps-<20 hex of sha256(workflowId/step)>-g<generation>`. Submitting it again finds the first one.
 *
 * @param generation 1 + the jobs of this step that the engine itself says ended FAILED
 */
export function jobName(workflowId: string, step: string, generation: number): string {
  return `${jobPrefix(workflowId, step)}${generation}`;
}

/** What the names of all of a step's jobs start with; the generation follows. */
export function jobPrefix(workflowId: string, step: string): string {
  const hash = createHash('sha256').update(`${workflowId}/${step}`).digest('hex').slice(0, 20);
  return `ps-${hash}-g`;
}
