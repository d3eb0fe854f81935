/** The rules of a document that need more than one place of it (spec section 3). */
import { checkNames } from './check-names.ts';
import { checkSteps } from './check-steps.ts';
import { checkTargets } from './check-targets.ts';
import { checkTiming } from './check-timing.ts';
import type { DocumentParts } from './document-parts.ts';
import type { Fault } from './fault.ts';

/** All faults at once; parts that their own schema refuses are passed over. */
export function checkReferences(parts: DocumentParts): Fault[] {
  return [checkNames, checkSteps, checkTargets, checkTiming].flatMap((check) => check(parts));
}
