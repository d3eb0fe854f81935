import { ServiceError } from '../errors.ts';
import { checkReferences } from '../schemas/check-references.ts';
import { pipelineDocument, type PipelineDocument } from '../schemas/definition.ts';
import { documentParts } from '../schemas/document-parts.ts';
import type { ParameterValue } from '../schemas/parameters.ts';
import { checkSchema, firstOfEachPath } from '../schemas/schema-faults.ts';
import { substituteParameters } from '../schemas/substitute-parameters.ts';

/**
 * A stored document with a run's parameters put in and checked again, since a value can make it another document. SQL
 * keeps its `${name}`s, which are bound values, and `${secret:NAME}` stays for the activity.
 *
 * @param raw as `validateDocument` took it
 * @throws ServiceError VALIDATION_FAILED with all faults, `${interval_start}` in a run without an interval among them
 */
export function resolveDefinition(raw: unknown, values: Readonly<Record<string, ParameterValue>>): PipelineDocument {
  const { value, faults } = substituteParameters(raw, values);
  const checked = checkSchema(pipelineDocument, value);
  faults.push(...('faults' in checked ? checked.faults : []), ...checkReferences(documentParts(value)));
  if (faults.length === 0 && !('faults' in checked)) return checked.value;
  throw new ServiceError(
    'VALIDATION_FAILED',
    'The definition does not hold with these parameters',
    firstOfEachPath(faults),
  );
}
