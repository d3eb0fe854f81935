import type * as z from 'zod';
import { ServiceError, type Fault } from '../errors.ts';
import { checkSchema } from '../schemas/schema-faults.ts';

/** What was parsed. @throws ServiceError VALIDATION_FAILED with every fault and its path */
export function orRefuse<T extends object>(outcome: T | { faults: Fault[] }): T {
  if ('faults' in outcome) throw new ServiceError('VALIDATION_FAILED', 'The request is not valid', outcome.faults);
  return outcome;
}

/** A part of the request as its schema gives it. */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  return orRefuse(checkSchema(schema, value)).value;
}
